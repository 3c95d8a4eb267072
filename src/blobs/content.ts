import type { Digest } from '../oci/digest.js';
import { BlobError } from './errors.js';
import { PART_SIZE, partsOf } from './parts.js';
import { Verification } from './verification.js';

/** How {@link BlobContent} gets its bytes and tells what it found out. */
export interface ContentSource {
  /** Part `index` from memory or from the store, as `repository` resolves it. */
  part(content: BlobContent, repository: string, index: number): Promise<Uint8Array>;
  /** The bytes last fetched are wrong; forget them. Answers whether another copy may be tried. */
  distrust(content: BlobContent, repository: string): boolean;
  /** All bytes are known to be right. */
  verified(content: BlobContent): void;
  /** Wrong bytes were found after some had been delivered, or no other copy was left. */
  poisoned(content: BlobContent, repository: string, reason: string): void;
}

/**
 * One blob's bytes, shared by every handle and repository of a scope that reads them, with the
 * promise that nobody reads them from start to end unless they hash to the digest.
 */
export class BlobContent {
  readonly scope: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly #source: ContentSource;
  #verification: Verification;
  #verifying: Promise<boolean> | undefined;
  /** Raised when wrong bytes were found: handles of earlier generations answer errors only. */
  #generation = 0;
  /** Open handles by generation. */
  readonly #handles = new Map<number, number>();

  constructor(scope: string, digest: Digest, size: number, source: ContentSource) {
    this.scope = scope;
    this.digest = digest;
    this.size = size;
    this.#source = source;
    this.#verification = new Verification(digest, size);
  }

  /** Name of the content in caches. */
  get id(): string {
    return `${this.scope}|${this.digest}|${this.size}`;
  }

  get verified(): boolean {
    return this.#verification.verified;
  }

  get isOpen(): boolean {
    return this.#handles.size > 0;
  }

  /** Approximate memory of what is remembered, in bytes. */
  get weight(): number {
    return this.#verification.weight;
  }

  /** Whether handles are open that were given bytes which turned out wrong. */
  get hasPoisonedHandles(): boolean {
    return [...this.#handles.keys()].some((generation) => generation < this.#generation);
  }

  /** A new handle; answers its generation. */
  opened(): number {
    const generation = this.#generation;
    this.#handles.set(generation, (this.#handles.get(generation) ?? 0) + 1);
    return generation;
  }

  /**
   * The handle is closed. With the last one, what was delivered unverified is forgotten: the next
   * open must drop the kernel's pages. Answers whether all that the handle delivered was right.
   */
  closed(generation: number): boolean {
    const left = (this.#handles.get(generation) ?? 1) - 1;
    if (left > 0) this.#handles.set(generation, left);
    else this.#handles.delete(generation);
    if (!this.isOpen) this.#verification.forgetDelivered();
    return this.verified && generation === this.#generation;
  }

  /** @throws BlobError `mismatch` when wrong bytes were found since the handle was opened. */
  assertGood(generation: number): void {
    if (generation === this.#generation) return;
    throw new BlobError(
      'mismatch',
      `The stored bytes of ${this.digest} do not hash to it; open it again.`,
    );
  }

  /**
   * Whether `bytes`, just fetched again as part `index` of a verified blob, are the right ones.
   */
  accepts(index: number, bytes: Uint8Array): boolean {
    return !this.verified || this.#verification.pin(index, bytes) === 'same';
  }

  /**
   * The bytes of `[start, end)`, 0 ≤ start < end ≤ size, withheld until the hash of all is known
   * when they would complete the delivery.
   * @throws BlobError
   */
  async deliver(
    repository: string,
    generation: number,
    start: number,
    end: number,
  ): Promise<Uint8Array> {
    for (;;) {
      this.assertGood(generation);
      const verification = this.#verification;
      const indexes = partsOf(start, end - start);
      const parts = await Promise.all(indexes.map((i) => this.#source.part(this, repository, i)));
      this.assertGood(generation);
      // Another reader found wrong bytes before anything was delivered: begin with fresh ones.
      if (verification !== this.#verification) continue;
      const right = await this.#check(repository, indexes, parts, start, end);
      this.assertGood(generation);
      if (verification !== this.#verification) continue;
      if (right) {
        verification.deliver(start, end);
        return slice(parts, start - (indexes[0] ?? 0) * PART_SIZE, end - start);
      }
      this.#reject(repository);
    }
  }

  /** Pin and hash the parts; the whole blob when this delivery would be the last. */
  async #check(
    repository: string,
    indexes: readonly number[],
    parts: readonly Uint8Array[],
    start: number,
    end: number,
  ): Promise<boolean> {
    const verification = this.#verification;
    for (const [i, index] of indexes.entries()) {
      const bytes = parts[i] ?? new Uint8Array();
      if (verification.pin(index, bytes) === 'different') return false;
      verification.feed(index, bytes);
    }
    if (verification.verified || !verification.wouldComplete(start, end)) return true;
    this.#verifying ??= this.#verify(repository).finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  async #verify(repository: string): Promise<boolean> {
    const right = await this.#verification.verify((index) =>
      this.#source.part(this, repository, index),
    );
    if (!right) return false;
    this.#source.verified(this);
    return true;
  }

  /**
   * The bytes are wrong. When no reader has any of them yet, another copy may be tried; else every
   * handle that may have given some away is poisoned.
   */
  #reject(repository: string): void {
    const delivered = this.#verification.anythingDelivered;
    const another = this.#source.distrust(this, repository);
    this.#verification = new Verification(this.digest, this.size);
    if (!delivered && another) return;
    this.#generation++;
    this.#source.poisoned(this, repository, delivered ? 'partly delivered' : 'not delivered');
  }
}

/** `length` bytes from position `from` of the concatenated parts; a view where one part has them. */
function slice(parts: readonly Uint8Array[], from: number, length: number): Uint8Array {
  const [first] = parts;
  if (first && parts.length === 1) return first.subarray(from, from + length);
  return Buffer.concat(parts).subarray(from, from + length);
}
