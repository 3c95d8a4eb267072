import { walkClosure } from '../../oci/closure.js';
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
}

export interface ClosureReaderOptions {
  /** Requests under way at once; default 16. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each document with the number read so far. */
  readonly onProgress?: ((documents: number) => void) | undefined;
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
      problem: `The index.json of ${repository === '' ? 'the root' : repository} ${why}`,
    });
    this.#gets += 1;
    const document = await readDocument(store, key, { maxBytes: MAX_INDEX_BYTES, signal });
    this.#told();
    if (document === undefined || document === 'unchanged')
      return problem('is not there any more.');
    let roots: readonly Descriptor[];
    try {
      roots = parseIndex(document.bytes).descriptors;
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      return problem(`cannot be read: ${error.message}`);
    }
    const closure = await walkClosure(roots, (manifest) => this.#children(repository, manifest), {
      concurrency,
      ...(signal === undefined ? {} : { signal }),
    });
    const { etag } = document.info;
    return {
      repository,
      blobs: [...closure.blobs].flatMap(([digest, descriptors]) => {
        const number = blobs.digests.number(digest);
        return descriptors.map(({ size, foreign = false }) => ({ number, size, foreign }));
      }),
      unread: closure.unread,
      ...(closure.limited !== undefined && { cutShort: true }),
      ...(etag !== undefined && { etag }),
    };
  }

  /** What a manifest points at; undefined when no copy of it has its bytes. */
  async #children(
    repository: string,
    { digest, size }: Descriptor,
  ): Promise<readonly Descriptor[] | undefined> {
    const number = this.#survey.blobs.digests.number(digest);
    const known = this.#table.get(number);
    if (known !== undefined) return known;
    let reading = this.#reading.get(number);
    if (reading === undefined) {
      reading = this.#readManifest(repository, { digest, size });
      this.#reading.set(number, reading);
      // What could not be read stays here, so that it is not asked for again.
      reading.then((readable) => readable && this.#reading.delete(number)).catch(() => undefined);
    }
    return (await reading) ? this.#table.get(number) : undefined;
  }

  /** Whether a manifest's bytes were found, so that its children are in the table. */
  async #readManifest(
    repository: string,
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  ): Promise<boolean> {
    const { blobs } = this.#survey;
    const copies = blobs
      .copies(digest)
      .filter((copy) => !copy.placeholder && copy.size <= MAX_MANIFEST_BYTES);
    for (const { directory } of rankCopies(copies, repository, size)) {
      const bytes = await this.#fetch(copyKey(directory, digest), digest);
      if (bytes === undefined) continue;
      this.#table.set(blobs.digests.number(digest), childrenIn(bytes));
      return true;
    }
    return false;
  }

  /** The bytes of `key` when they hash to `digest`. */
  async #fetch(key: string, digest: Digest): Promise<Uint8Array | undefined> {
    const { store, root } = this.#survey;
    const { signal } = this.#options;
    this.#gets += 1;
    try {
      const maxBytes = MAX_MANIFEST_BYTES;
      const document = await readDocument(store, root + key, { maxBytes, signal });
      if (document === undefined || document === 'unchanged') return undefined;
      const actual = digestOf(digestParts(digest).algorithm, document.bytes);
      return actual === digest ? document.bytes : undefined;
    } catch (error) {
      if (isStoreError(error, 'AccessDenied', 'Archived')) return undefined;
      throw error;
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
function childrenIn(bytes: Uint8Array): readonly Descriptor[] {
  try {
    return parseManifest(bytes).children;
  } catch (error) {
    if (error instanceof DocumentError) return [];
    throw error;
  }
}
