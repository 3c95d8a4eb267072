import type { Blobs } from '../blobs/blobs.js';
import { isBlobError } from '../blobs/errors.js';
import { walkClosure } from '../oci/closure.js';
import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import {
  DocumentError,
  type ParsedIndex,
  parseIndex,
  parseManifest,
  type ParsedManifest,
} from '../oci/document.js';
import { MAX_INDEX_BYTES, MAX_MANIFEST_BYTES } from '../oci/limits.js';
import { isIndexType, isManifestType } from '../oci/media-types.js';
import type { Registry } from '../registry/registry.js';
import { isImageConfig } from './image-config.js';
import { formatPlatform, type Platform, readPlatform } from './image-platform.js';

/** One entry of a repository's `index.json`. */
export interface ListedImage {
  readonly tag?: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** What kind of thing it is, in a word or by its artifact type. */
  readonly type: string;
  /** Of an image its own, of an index those of its children; empty where none is named. */
  readonly platforms: readonly Platform[];
  /** Bytes of all distinct blobs it reaches, by their descriptors; itself included. */
  readonly size: number;
  /** Why it cannot be read, when it cannot. */
  readonly problem?: string;
  /** Digests it reaches that are lost, itself included; absent where none is known to be. */
  readonly lost?: readonly string[];
}

/** What a repository contains, as far as its documents can be read. */
export interface RepositoryContents {
  /** In the order of `index.json`. */
  readonly images: readonly ListedImage[];
  /** Every digest that the index reaches, and whether its bytes may rightly be absent. */
  readonly closure: ReadonlyMap<Digest, { readonly foreign: boolean }>;
  /** The digests that an entry of `index.json` reaches, itself first. */
  readonly reach: (digest: Digest) => ReadonlySet<Digest>;
  /** Manifests of the closure without bytes in the store. */
  readonly absent: readonly Digest[];
  /** Entries of `index.json` that are no descriptors. */
  readonly malformed: number;
}

export interface ReadOptions {
  readonly registry: Registry;
  readonly blobs: Blobs;
  /** Called after each manifest with the number read so far. */
  readonly onProgress?: (manifests: number) => void;
}

/**
 * Read a repository's `index.json`, every manifest it reaches, and the configs of images that name
 * no platform in their descriptor. Undefined: there is no such repository.
 * @throws StoreError, BlobError `unavailable`, Error when `index.json` is no image index
 */
export async function readRepository(
  repository: string,
  { registry, blobs, onProgress }: ReadOptions,
): Promise<RepositoryContents | undefined> {
  const document = await registry.readIndex(repository, { maxBytes: MAX_INDEX_BYTES });
  if (document === undefined || document === 'unchanged') return undefined;
  const { descriptors, ignored } = parse(repository, document.bytes);
  const reader = new DocumentReader(repository, blobs, onProgress);
  const closure = await walkClosure(descriptors, (descriptor) => reader.children(descriptor));
  const images: ListedImage[] = [];
  for (const descriptor of descriptors) images.push(await describe(descriptor, reader));
  return {
    images,
    closure: new Map(
      [...closure.blobs].map(([digest, all]) => [
        digest,
        { foreign: all.every(({ foreign }) => foreign === true) },
      ]),
    ),
    reach: (digest) => new Set(reachedFrom(digest, reader).keys()),
    absent: reader.absent,
    malformed: ignored,
  };
}

/** @throws Error naming the repository whose `index.json` is broken */
function parse(repository: string, bytes: Uint8Array): ParsedIndex {
  try {
    return parseIndex(bytes);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    const name = repository === '' ? '/' : repository;
    throw new Error(`index.json of ${name} cannot be read: ${error.message}`, { cause: error });
  }
}

async function describe(descriptor: Descriptor, reader: DocumentReader): Promise<ListedImage> {
  const { digest, mediaType, refName } = descriptor;
  const problem = reader.problem(digest);
  const platforms = problem === undefined ? await platformsOf(descriptor, reader) : [];
  return {
    ...(refName !== undefined && { tag: refName }),
    digest,
    mediaType,
    type: typeOf(descriptor, reader.manifest(digest)),
    platforms,
    size: [...reachedFrom(digest, reader, descriptor.size).values()].reduce(
      (sum, one) => sum + one,
    ),
    ...(problem !== undefined && { problem }),
  };
}

function typeOf({ mediaType, artifactType }: Descriptor, manifest?: ParsedManifest): string {
  if (isIndexType(mediaType)) return 'index';
  const named = artifactType ?? manifest?.artifactType;
  if (named !== undefined) return named;
  if (!isManifestType(mediaType)) return mediaType === '' ? 'untyped' : mediaType;
  const [config] = manifest?.children ?? [];
  if (config === undefined || isImageConfig(config)) return 'image';
  return config.mediaType;
}

/** Of an index, those of all its images, each once; `seen` ends cycles. */
async function platformsOf(
  descriptor: Descriptor,
  reader: DocumentReader,
  seen = new Set<Digest>(),
): Promise<readonly Platform[]> {
  if (descriptor.platform !== undefined) return [descriptor.platform];
  if (seen.has(descriptor.digest)) return [];
  seen.add(descriptor.digest);
  const children = reader.manifest(descriptor.digest)?.children ?? [];
  if (isIndexType(descriptor.mediaType)) {
    const byName = new Map<string, Platform>();
    for (const child of children) {
      for (const platform of await platformsOf(child, reader, seen)) {
        byName.set(formatPlatform(platform), platform);
      }
    }
    return [...byName.values()];
  }
  const config = children.find(isImageConfig);
  const platform = config && (await reader.platform(config));
  return platform === undefined ? [] : [platform];
}

/** All that `digest` reaches, with sizes; each digest once, as it is stored once. */
function reachedFrom(digest: Digest, reader: DocumentReader, size = 0): Map<Digest, number> {
  const reached = new Map<Digest, number>();
  const stack: Pick<Descriptor, 'digest' | 'size'>[] = [{ digest, size }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (reached.has(next.digest)) continue;
    reached.set(next.digest, next.size);
    stack.push(...(reader.manifest(next.digest)?.children ?? []));
  }
  return reached;
}

/** Reads each document of a repository once, and remembers what could not be read. */
class DocumentReader {
  readonly #manifests = new Map<Digest, ParsedManifest>();
  readonly #problems = new Map<Digest, string>();
  readonly #platforms = new Map<Digest, Platform | undefined>();
  readonly absent: Digest[] = [];
  #read = 0;

  constructor(
    private readonly repository: string,
    private readonly blobs: Blobs,
    private readonly onProgress: ReadOptions['onProgress'],
  ) {}

  manifest(digest: Digest): ParsedManifest | undefined {
    return this.#manifests.get(digest);
  }

  problem(digest: Digest): string | undefined {
    return this.#problems.get(digest);
  }

  /** What a manifest points at; undefined, and a problem noted, when it cannot be read. */
  async children(descriptor: Descriptor): Promise<readonly Descriptor[] | undefined> {
    const { digest } = descriptor;
    try {
      if (descriptor.size > MAX_MANIFEST_BYTES) throw new DocumentError('It is too large to read.');
      const bytes = await this.blobs.readAll({ ...descriptor, repository: this.repository });
      const manifest = parseManifest(bytes);
      this.#manifests.set(digest, manifest);
      return manifest.children;
    } catch (error) {
      if (isBlobError(error, 'absent')) this.absent.push(digest);
      this.#problems.set(digest, problemIn(error));
      return undefined;
    } finally {
      this.#read += 1;
      this.onProgress?.(this.#read);
    }
  }

  /** The platform in an image's config, where it can be read. */
  async platform(config: Descriptor): Promise<Platform | undefined> {
    if (!this.#platforms.has(config.digest)) {
      const name = { ...config, repository: this.repository };
      this.#platforms.set(config.digest, await readPlatform(this.blobs, name));
    }
    return this.#platforms.get(config.digest);
  }
}

/** A short reason; failures that asking again may mend are thrown on. */
function problemIn(error: unknown): string {
  if (isBlobError(error, 'absent')) return 'lost';
  if (isBlobError(error, 'mismatch')) return 'corrupt';
  if (isBlobError(error, 'wrong-size')) return 'wrong size';
  if (isBlobError(error, 'unsupported')) return 'unknown algorithm';
  if (error instanceof DocumentError) return 'unreadable';
  throw error;
}
