import { isWalkable, walkClosure } from '../../oci/closure.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { digestParts, type Digest } from '../../oci/digest.js';
import { DocumentError, parseIndex, parseManifest } from '../../oci/document.js';
import { digestOf } from '../../oci/hash.js';
import { INDEX_FILE } from '../../oci/layout.js';
import { MAX_INDEX_BYTES, MAX_MANIFEST_BYTES } from '../../oci/limits.js';
import { readDocument } from '../../registry/stored-document.js';
import { directoryPrefix } from '../../registry/root-prefix.js';
import { rankCopies } from '../../registry/zot/rank-copies.js';
import { isStoreError } from '../../store/errors.js';
import { copyKey } from './blob-table.js';
import { ChildrenTable } from './children-table.js';
import type { Survey } from './survey.js';

/** One digest that a repository refers to. */
export interface ClosureBlob {
  /** Its number in `survey.blobs.digests`. */
  readonly number: number;
  /** As its descriptor claims. */
  readonly size: number;
  /** Every mention is a foreign layer's: its bytes may rightly be absent. */
  readonly foreign: boolean;
}

/** All that a repository refers to. */
export interface RepositoryClosure {
  readonly repository: string;
  /**
   * Each digest once for each size that is claimed of it (nearly always one), in the order of the
   * walk.
   */
  readonly blobs: readonly ClosureBlob[];
  /**
   * Manifests without readable bytes: what they refer to is not known, so the closure may lack
   * digests.
   */
  readonly unread: readonly Digest[];
  /** The walk met one of its limits, so the closure lacks digests. */
  readonly cutShort?: boolean;
  /** Why nothing is known of the closure, a full sentence: `index.json` cannot be read. */
  readonly problem?: string;
  /** The version of `index.json` that was read. */
  readonly etag?: string;
  /** The entries of `index.json`; none where there is a problem. */
  readonly roots: readonly Descriptor[];
  /** Why `index.json` may refer to more than is known, a full sentence. */
  readonly doubt?: string;
}

/** What came of reading one object as a manifest. */
export interface ManifestRead {
  readonly digest: Digest;
  /** Relative to the root. */
  readonly key: string;
  readonly outcome:
    /** `doubt`: why it may refer to more than is known, a full sentence. */
    | { readonly state: 'right'; readonly size: number; readonly doubt?: string }
    /** Its bytes hash to `actual`. */
    | { readonly state: 'wrong'; readonly size: number; readonly actual: string }
    | { readonly state: 'absent' }
    /** The store does not give it out, or its hash cannot be computed. */
    | { readonly state: 'unread'; readonly reason: string };
}

export interface ClosureReaderOptions {
  /** Requests under way at once; default 16. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each document with the number read so far. */
  readonly onProgress?: ((documents: number) => void) | undefined;
  /** Called after each manifest; several times for one whose first copy is not right. */
  readonly onManifest?: ((read: ManifestRead) => void) | undefined;
}

/**
 * Reads the closures of a surveyed registry's repositories: one GET for each `index.json` and one
 * for each manifest, however many repositories share it. Manifests are believed only when their
 * bytes hash to their name.
 */
export class ClosureReader {
  readonly #survey: Survey;
  readonly #options: ClosureReaderOptions;
  readonly #table: ChildrenTable;
  readonly #reading = new Map<number, Promise<boolean>>();
  #gets = 0;
  #documents = 0;

  constructor(survey: Survey, options: ClosureReaderOptions = {}) {
    this.#survey = survey;
    this.#options = options;
    this.#table = new ChildrenTable(survey.blobs.digests);
  }

  /** GET requests made so far. */
  get gets(): number {
    return this.#gets;
  }

  /**
   * The closure of one repository.
   * @throws StoreError when the store fails, and the reason of an aborted signal
   */
  async read(repository: string): Promise<RepositoryClosure> {
    const { store, root, blobs } = this.#survey;
    const { concurrency = 16, signal } = this.#options;
    const key = directoryPrefix(root, repository) + INDEX_FILE;
    const problem = (why: string): RepositoryClosure => ({
      repository,
      blobs: [],
      unread: [],
      roots: [],
      problem: `The index.json of ${repository === '' ? 'the root' : repository} ${why}`,
    });
    this.#gets += 1;
    const document = await readDocument(store, key, { maxBytes: MAX_INDEX_BYTES, signal });
    this.#told();
    if (document === undefined || document === 'unchanged')
      return problem('is not there any more.');
    let roots: readonly Descriptor[];
    let ignored: number;
    try {
      ({ descriptors: roots, ignored } = parseIndex(document.bytes));
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      return problem(`cannot be read: ${error.message}`);
    }
    const closure = await walkClosure(roots, (manifest) => this.#children(repository, manifest), {
      concurrency,
      ...(signal === undefined ? {} : { signal }),
    });
    const { etag } = document.info;
    const doubt = doubtOf(ignored, roots);
    return {
      repository,
      blobs: [...closure.blobs].flatMap(([digest, descriptors]) => {
        const number = blobs.digests.number(digest);
        return descriptors.map(({ size, foreign = false }) => ({ number, size, foreign }));
      }),
      unread: closure.unread,
      ...(closure.limited !== undefined && { cutShort: true }),
      ...(etag !== undefined && { etag }),
      roots,
      ...(doubt !== undefined && { doubt }),
    };
  }

  /** What a manifest that was read points at, as far as the walk looks; no request. */
  known(digest: Digest): readonly Descriptor[] | undefined {
    const number = this.#survey.blobs.digests.find(digest);
    return number === undefined ? undefined : this.#table.get(number);
  }

  /** What a manifest points at; undefined when no copy of it has its bytes. */
  async #children(
    repository: string,
    { digest, size, mediaType }: Descriptor,
  ): Promise<readonly Descriptor[] | undefined> {
    const number = this.#survey.blobs.digests.number(digest);
    const known = this.#table.get(number);
    if (known !== undefined) return known;
    let reading = this.#reading.get(number);
    if (reading === undefined) {
      reading = this.#readManifest(repository, { digest, size, mediaType });
      this.#reading.set(number, reading);
      // What could not be read stays here, so that it is not asked for again.
      reading.then((readable) => readable && this.#reading.delete(number)).catch(() => undefined);
    }
    return (await reading) ? this.#table.get(number) : undefined;
  }

  /** Whether a manifest's bytes were found, so that its children are in the table. */
  async #readManifest(
    repository: string,
    { digest, size, mediaType }: Pick<Descriptor, 'digest' | 'size' | 'mediaType'>,
  ): Promise<boolean> {
    const { blobs } = this.#survey;
    const copies = blobs
      .copies(digest)
      .filter((copy) => !copy.placeholder && copy.size <= MAX_MANIFEST_BYTES);
    for (const { directory } of rankCopies(copies, repository, size)) {
      const key = copyKey(directory, digest);
      const { bytes, outcome } = await this.#fetch(key, digest);
      if (bytes === undefined) {
        this.#options.onManifest?.({ digest, key, outcome });
        continue;
      }
      const { children, doubt } = readChildren(bytes, mediaType);
      this.#table.set(blobs.digests.number(digest), children);
      const told = { ...outcome, ...(doubt !== undefined && { doubt }) };
      this.#options.onManifest?.({ digest, key, outcome: told });
      return true;
    }
    return false;
  }

  /** The bytes of `key` when they hash to `digest`. */
  async #fetch(
    key: string,
    digest: Digest,
  ): Promise<{ bytes?: Uint8Array; outcome: ManifestRead['outcome'] }> {
    const { store, root } = this.#survey;
    const { signal } = this.#options;
    this.#gets += 1;
    try {
      const maxBytes = MAX_MANIFEST_BYTES;
      const document = await readDocument(store, root + key, { maxBytes, signal });
      if (document === undefined || document === 'unchanged') {
        return { outcome: { state: 'absent' } };
      }
      const { bytes } = document;
      const actual = digestOf(digestParts(digest).algorithm, bytes);
      if (actual === digest) return { bytes, outcome: { state: 'right', size: bytes.length } };
      if (actual !== undefined) return { outcome: { state: 'wrong', size: bytes.length, actual } };
      return { outcome: { state: 'unread', reason: `Nothing here can compute ${digest}.` } };
    } catch (error) {
      if (!isStoreError(error, 'AccessDenied', 'Archived')) throw error;
      return { outcome: { state: 'unread', reason: error.message } };
    } finally {
      this.#told();
    }
  }

  #told(): void {
    this.#documents += 1;
    this.#options.onProgress?.(this.#documents);
  }
}

/** What a manifest's bytes point at; bytes that are no manifest point at nothing. */
function readChildren(
  bytes: Uint8Array,
  mediaType: string,
): {
  readonly children: readonly Descriptor[];
  readonly doubt?: string | undefined;
} {
  try {
    const { children, manifests, ignored } = parseManifest(bytes);
    return { children, doubt: doubtOf(ignored, children.slice(0, manifests)) };
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    // Without a media type it was only a guess that this is a manifest.
    return { children: [], doubt: mediaType === '' ? undefined : error.message };
  }
}

/** Why a document may refer to more than its parsed entries tell. */
function doubtOf(ignored: number, manifests: readonly Descriptor[]): string | undefined {
  if (ignored > 0) return `It has ${ignored} entries that are no descriptors.`;
  const opaque = manifests.find((entry) => !isWalkable(entry));
  if (opaque === undefined) return undefined;
  const type = opaque.mediaType === '' ? 'without a media type' : `of type ${opaque.mediaType}`;
  return `It lists ${opaque.digest} ${type}, which is no manifest that layoutfs knows.`;
}
