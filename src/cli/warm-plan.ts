import type { Blobs } from '../blobs/blobs.js';
import { isBlobError } from '../blobs/errors.js';
import { walkClosure } from '../oci/closure.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { DocumentError, parseIndex, parseManifest } from '../oci/document.js';
import { MAX_INDEX_BYTES, MAX_MANIFEST_BYTES } from '../oci/limits.js';
import { isIndexType } from '../oci/media-types.js';
import type { Registry } from '../registry/registry.js';
import { isStoreError } from '../store/errors.js';
import { isImageConfig } from './image-config.js';
import { formatPlatform, type Platform, readPlatform } from './image-platform.js';
import { type ImageReference, isWanted } from './warm-references.js';

/** A blob that is to be fetched, once for all the images that need it. */
export interface PlannedBlob {
  /** One of the repositories that have it. */
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Who needs it, as `repository:tag` or `repository@digest`. */
  readonly images: Set<string>;
}

/** Something that was asked for and cannot be had. */
export interface WarmProblem {
  /** An image, or what was asked for. */
  readonly image: string;
  /** A full sentence. */
  readonly reason: string;
}

export interface WarmPlan {
  readonly images: ReadonlySet<string>;
  readonly blobs: readonly PlannedBlob[];
  readonly problems: readonly WarmProblem[];
}

export interface PlanRequest {
  readonly registry: Registry;
  readonly blobs: Blobs;
  readonly references: readonly ImageReference[];
  /** Empty: all. */
  readonly platforms: readonly Platform[];
  /** Whether a repository that a glob matches is meant. */
  readonly accepts: (repository: string) => boolean;
  /** Called after each manifest with the number read so far. */
  readonly onProgress: (manifests: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Find out which blobs the images consist of: reads the `index.json` of each repository and the
 * manifests of the images, nothing else.
 * @throws StoreError of listings, and the reason of an aborted `signal`
 */
export async function planWarm(request: PlanRequest): Promise<WarmPlan> {
  const planner = new Planner(request);
  const repositories = new Map<string, ImageReference[]>();
  const found = request.references.some(({ repository }) => repository === undefined)
    ? await findRepositories(request)
    : [];
  for (const reference of request.references) {
    const { repository, text } = reference;
    const names =
      repository === undefined
        ? found.filter((name) => reference.matchesRepository(name))
        : [repository];
    if (names.length === 0) planner.problem(text, 'No repository matches it.');
    for (const name of names) {
      repositories.set(name, [...(repositories.get(name) ?? []), reference]);
    }
  }
  for (const [name, references] of repositories) {
    await planner.addRepository(name, references);
  }
  return planner;
}

/** Every repository that is shown, by one LIST for each directory. */
async function findRepositories({ registry, accepts, signal }: PlanRequest): Promise<string[]> {
  const names: string[] = [];
  const waiting = [''];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    signal.throwIfAborted();
    const parent = path;
    const { repository, children } = await registry.list(parent, signal);
    if (repository !== undefined && accepts(parent)) names.push(parent);
    waiting.push(...children.map((child) => (parent === '' ? child : `${parent}/${child}`)));
  }
  return names.sort();
}

class Planner implements WarmPlan {
  readonly images = new Set<string>();
  readonly problems: WarmProblem[] = [];
  readonly #blobs = new Map<string, PlannedBlob>();
  readonly #request: PlanRequest;
  #manifests = 0;

  constructor(request: PlanRequest) {
    this.#request = request;
  }

  get blobs(): readonly PlannedBlob[] {
    return [...this.#blobs.values()];
  }

  problem(image: string, reason: string): void {
    this.problems.push({ image, reason });
  }

  async addRepository(repository: string, references: readonly ImageReference[]): Promise<void> {
    const entries = await this.#readIndex(repository, references);
    for (const reference of entries === undefined ? [] : references) {
      const meant = await this.#select(repository, entries ?? [], reference);
      if (meant.length === 0 && reference.isExact && (entries ?? []).length > 0) {
        this.problem(reference.text, 'The repository has no such image.');
      }
      for (const descriptor of meant) await this.#addImage(repository, descriptor, reference);
    }
  }

  async #readIndex(
    repository: string,
    references: readonly ImageReference[],
  ): Promise<readonly Descriptor[] | undefined> {
    const { registry, signal } = this.#request;
    const refuse = (reason: string): undefined => {
      for (const { text, isExact } of references) this.problem(isExact ? text : repository, reason);
    };
    try {
      const document = await registry.readIndex(repository, { maxBytes: MAX_INDEX_BYTES, signal });
      if (document === undefined || document === 'unchanged') {
        refuse('There is no such repository.');
        return;
      }
      return parseIndex(document.bytes).descriptors;
    } catch (error) {
      if (signal.aborted || !(isStoreError(error) || error instanceof DocumentError)) throw error;
      refuse(`Its index.json cannot be read: ${error.message}`);
      return;
    }
  }

  /** The entries that are meant; a digest may also name what is within an index. */
  async #select(
    repository: string,
    entries: readonly Descriptor[],
    reference: ImageReference,
  ): Promise<readonly Descriptor[]> {
    const { digest } = reference;
    if (digest === undefined) return entries.filter((entry) => reference.matchesTag(entry));
    const own = entries.filter((entry) => entry.digest === digest);
    if (own.length > 0) return own.slice(0, 1);
    const closure = await walkClosure(entries, (parent) =>
      this.#children(repository, parent).catch(() => undefined),
    );
    return (closure.blobs.get(digest) ?? []).slice(0, 1);
  }

  async #addImage(repository: string, root: Descriptor, reference: ImageReference): Promise<void> {
    const { platforms, signal } = this.#request;
    const image = nameOf(repository, root);
    const taken: Descriptor[] = [];
    try {
      if (await this.#fits(repository, root)) {
        const closure = await walkClosure([root], (parent) => this.#wanted(repository, parent), {
          signal,
        });
        for (const [one] of closure.blobs.values()) if (one !== undefined) taken.push(one);
      }
    } catch (error) {
      if (signal.aborted || !(isBlobError(error) || error instanceof DocumentError)) throw error;
      this.problem(image, error.message);
      return;
    }
    // An index of which nothing fits is not the image.
    const isEmpty = taken.length === 0 || (isIndexType(root.mediaType) && taken.length === 1);
    if (platforms.length > 0 && isEmpty) {
      const names = platforms.map(formatPlatform).join(', ');
      if (reference.isExact) this.problem(image, `It has no image for ${names}.`);
      return;
    }
    this.images.add(image);
    for (const one of taken) if (one.foreign !== true) this.#addBlob(repository, one, image);
  }

  #addBlob(repository: string, { digest, size }: Descriptor, image: string): void {
    if (size === 0) return;
    const key = `${digest}|${size}`;
    const known = this.#blobs.get(key);
    if (known === undefined) {
      this.#blobs.set(key, { repository, digest, size, images: new Set([image]) });
    } else known.images.add(image);
  }

  async #wanted(repository: string, parent: Descriptor): Promise<readonly Descriptor[]> {
    const children = await this.#children(repository, parent);
    if (!isIndexType(parent.mediaType)) return children;
    const fitting: Descriptor[] = [];
    for (const child of children) if (await this.#fits(repository, child)) fitting.push(child);
    return fitting;
  }

  /** Whether it is for a wanted platform, or for none in particular. */
  async #fits(repository: string, descriptor: Descriptor): Promise<boolean> {
    const { platforms, blobs } = this.#request;
    if (platforms.length === 0) return true;
    if (descriptor.platform !== undefined) return isWanted(platforms, descriptor.platform);
    if (isIndexType(descriptor.mediaType)) return true;
    const config = (await this.#children(repository, descriptor)).find(isImageConfig);
    const platform = config && (await readPlatform(blobs, { ...config, repository }));
    return platform === undefined || isWanted(platforms, platform);
  }

  async #children(repository: string, descriptor: Descriptor): Promise<readonly Descriptor[]> {
    if (descriptor.size > MAX_MANIFEST_BYTES) {
      throw new DocumentError(`The manifest ${descriptor.digest} is too large to read.`);
    }
    const bytes = await this.#request.blobs.readAll({ ...descriptor, repository });
    this.#request.onProgress(++this.#manifests);
    return parseManifest(bytes).children;
  }
}

function nameOf(repository: string, { refName, digest }: Descriptor): string {
  const name = repository === '' ? '/' : repository;
  return refName === undefined ? `${name}@${digest}` : `${name}:${refName}`;
}
