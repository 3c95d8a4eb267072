import type { Digest } from '../../oci/digest.js';

const HASH_BYTES = 32;
const FIRST_CAPACITY = 1024;
const SHA256 = /^sha256:[a-f0-9]{64}$/;

/**
 * Digests as small numbers, counted from zero in the order in which they are first met. A SHA-256
 * digest costs about 40 bytes outside of the JavaScript heap; other algorithms are rare and kept in
 * a plain map.
 *
 * A chained hash table: `#heads` holds numbers plus one, by the digest's first four bytes.
 */
export class DigestNumbers {
  #hashes = Buffer.alloc(FIRST_CAPACITY * HASH_BYTES);
  #next = new Uint32Array(FIRST_CAPACITY);
  #heads = new Uint32Array(FIRST_CAPACITY);
  #count = 0;
  readonly #others = new Map<Digest, number>();
  readonly #otherDigests = new Map<number, Digest>();

  /** How many digests there are: every number is smaller than this. */
  get size(): number {
    return this.#count;
  }

  /** The number of `digest`, or undefined when it was never met. */
  find(digest: Digest): number | undefined {
    return SHA256.test(digest)
      ? this.#search(Buffer.from(digest.slice(7), 'hex'))
      : this.#others.get(digest);
  }

  /** The number of `digest`, a new one if it was never met. */
  number(digest: Digest): number {
    if (!SHA256.test(digest)) return this.#others.get(digest) ?? this.#addOther(digest);
    const hash = Buffer.from(digest.slice(7), 'hex');
    const known = this.#search(hash);
    if (known !== undefined) return known;
    const number = this.#take();
    hash.copy(this.#hashes, number * HASH_BYTES);
    this.#link(number);
    return number;
  }

  /** @throws RangeError when there is no such number, which is a mistake of the caller. */
  digest(number: number): Digest {
    if (number >= this.#count) throw new RangeError(`There is no digest number ${number}.`);
    const other = this.#otherDigests.get(number);
    if (other !== undefined) return other;
    const at = number * HASH_BYTES;
    return `sha256:${this.#hashes.toString('hex', at, at + HASH_BYTES)}` as Digest;
  }

  #search(hash: Buffer): number | undefined {
    let next = this.#heads[this.#bucket(hash.readUInt32LE(0))] ?? 0;
    while (next !== 0) {
      const at = (next - 1) * HASH_BYTES;
      if (this.#hashes.compare(hash, 0, HASH_BYTES, at, at + HASH_BYTES) === 0) return next - 1;
      next = this.#next[next - 1] ?? 0;
    }
    return undefined;
  }

  #addOther(digest: Digest): number {
    const number = this.#take();
    this.#others.set(digest, number);
    this.#otherDigests.set(number, digest);
    return number;
  }

  #take(): number {
    if (this.#count === this.#next.length) this.#grow();
    const number = this.#count;
    this.#count += 1;
    return number;
  }

  #bucket(head: number): number {
    return head & (this.#heads.length - 1);
  }

  #link(number: number): void {
    const bucket = this.#bucket(this.#hashes.readUInt32LE(number * HASH_BYTES));
    this.#next[number] = this.#heads[bucket] ?? 0;
    this.#heads[bucket] = number + 1;
  }

  #grow(): void {
    const hashes = Buffer.alloc(this.#hashes.length * 2);
    this.#hashes.copy(hashes);
    this.#hashes = hashes;
    this.#next = new Uint32Array(this.#next.length * 2);
    this.#heads = new Uint32Array(this.#heads.length * 2);
    for (let number = 0; number < this.#count; number += 1) {
      if (!this.#otherDigests.has(number)) this.#link(number);
    }
  }
}
