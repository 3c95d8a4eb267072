import { isEmptyDigest } from '../../oci/empty.js';
import type { Digest } from '../../oci/digest.js';
import { blobKey } from '../../registry/inventory/blob-key.js';
import type { ObjectInfo } from '../../store/object-store.js';
import { DigestNumbers } from './digest-numbers.js';
import { EtagColumn } from './etag-column.js';

/** One stored object that has a digest's name. */
export interface BlobCopy {
  /**
   * Path of the directory whose `blobs` has it, relative to the root; empty for the root. Ends in a
   * slash only where it is a shared blob directory of plain layouts.
   */
  readonly directory: string;
  /** Relative to the root. */
  readonly key: string;
  readonly size: number;
  readonly etag?: string;
  /** Milliseconds since the epoch. */
  readonly lastModified?: number;
  /** Zero bytes under the name of a digest of other content: a dedupe placeholder. */
  readonly placeholder: boolean;
}

const FIRST_CAPACITY = 1024;

/**
 * Every stored object that is named by a digest, grouped by digest: about 100 bytes for each, most
 * of them outside of the JavaScript heap, so that millions of keys fit. Digests have numbers, for
 * the tables that others build beside this one.
 */
export class BlobTable {
  readonly digests = new DigestNumbers();
  #capacity = FIRST_CAPACITY;
  #directoryOf = new Uint32Array(FIRST_CAPACITY);
  #size = new Float64Array(FIRST_CAPACITY);
  #modified = new Float64Array(FIRST_CAPACITY);
  /** Row plus one of the next copy of the same digest. */
  #next = new Uint32Array(FIRST_CAPACITY);
  readonly #etags = new EtagColumn();
  /** By digest number: row plus one of its first and last copy. */
  #first = new Uint32Array(FIRST_CAPACITY);
  #last = new Uint32Array(FIRST_CAPACITY);
  readonly #directories: string[] = [];
  readonly #numbers = new Map<string, number>();
  #rows = 0;

  /** Number of copies and placeholders. */
  get size(): number {
    return this.#rows;
  }

  /** Copies must be added in bytewise order of their keys, as listings have them. */
  add(digest: Digest, directory: string, { size, etag, lastModified }: ObjectInfo): void {
    const row = this.#rows;
    if (row === this.#capacity) this.#grow();
    this.#rows += 1;
    this.#directoryOf[row] = this.#numberOf(directory);
    this.#size[row] = size;
    this.#modified[row] = lastModified ?? NaN;
    this.#etags.push(etag);
    const number = this.digests.number(digest);
    this.#reach(number);
    const last = this.#last[number] ?? 0;
    if (last === 0) this.#first[number] = row + 1;
    else this.#next[last - 1] = row + 1;
    this.#last[number] = row + 1;
  }

  /** All objects named by `digest` (or its number), in bytewise order of their keys. */
  copies(digest: Digest | number): BlobCopy[] {
    const number = typeof digest === 'number' ? digest : this.digests.find(digest);
    if (number === undefined) return [];
    const name = typeof digest === 'number' ? this.digests.digest(number) : digest;
    const empty = isEmptyDigest(name);
    const copies: BlobCopy[] = [];
    for (let row = this.#first[number] ?? 0; row !== 0; row = this.#next[row - 1] ?? 0) {
      copies.push(this.#copy(name, row - 1, empty));
    }
    return copies;
  }

  #copy(digest: Digest, row: number, empty: boolean): BlobCopy {
    const directory = this.#directories[this.#directoryOf[row] ?? 0] ?? '';
    const size = this.#size[row] ?? 0;
    const etag = this.#etags.get(row);
    const modified = this.#modified[row] ?? NaN;
    return {
      directory,
      key: copyKey(directory, digest),
      size,
      ...(etag !== undefined && { etag }),
      ...(!Number.isNaN(modified) && { lastModified: modified }),
      placeholder: size === 0 && !empty,
    };
  }

  #numberOf(directory: string): number {
    const known = this.#numbers.get(directory);
    if (known !== undefined) return known;
    const number = this.#directories.push(directory) - 1;
    this.#numbers.set(directory, number);
    return number;
  }

  /** Make room for the digest `number`; digests without copies may have been counted meanwhile. */
  #reach(number: number): void {
    if (number < this.#first.length) return;
    const length = Math.max(2 * this.#first.length, number + 1);
    this.#first = enlarged(this.#first, new Uint32Array(length));
    this.#last = enlarged(this.#last, new Uint32Array(length));
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#directoryOf = enlarged(this.#directoryOf, new Uint32Array(this.#capacity));
    this.#size = enlarged(this.#size, new Float64Array(this.#capacity));
    this.#modified = enlarged(this.#modified, new Float64Array(this.#capacity));
    this.#next = enlarged(this.#next, new Uint32Array(this.#capacity));
  }
}

/** The key, relative to the root, of the object with the bytes of `digest` in `directory`. */
export function copyKey(directory: string, digest: Digest): string {
  return directory.endsWith('/')
    ? directory + digest.replace(':', '/')
    : blobKey(directory, digest);
}

function enlarged<T extends Uint32Array | Float64Array>(old: T, fresh: T): T {
  fresh.set(old);
  return fresh;
}
