import { createHash } from 'node:crypto';
import { type Digest, digestParts } from '../oci/digest.js';
import { createHasher, type Hasher } from '../oci/hash.js';
import { Intervals } from './intervals.js';
import { partCount } from './parts.js';

/** What {@link Verification.pin} found. */
export type PinResult = 'same' | 'different';

/**
 * Promise 1 for one blob: what was delivered to readers, and whether it hashes to the blob's name.
 *
 * **Invariant**: every byte that was delivered belongs to a part whose SHA-256 is pinned here, and
 * `verified` is true only when the parts with exactly these pinned hashes, one after the other,
 * hash to the digest. So the bytes delivered over time by different GETs, to different handles,
 * were all checked once `verified` is true.
 */
export class Verification {
  readonly #digest: Digest;
  readonly #size: number;
  readonly #partHashes = new Map<number, string>();
  /** Buffers whose hash is the pinned one, so that a part is hashed once and not at every read. */
  #pinnedBuffers = new WeakSet<Uint8Array>();
  readonly #delivered = new Intervals();
  /** Hashes the parts in order as they come by, so that a sequential reader is not read twice. */
  #hasher: Hasher | undefined;
  #hashedParts = 0;
  #verified = false;

  constructor(digest: Digest, size: number) {
    this.#digest = digest;
    this.#size = size;
  }

  get verified(): boolean {
    return this.#verified;
  }

  /** Whether any byte reached a reader since the last {@link forgetDelivered}. */
  get anythingDelivered(): boolean {
    return !this.#delivered.isEmpty;
  }

  /**
   * Tie part `index` to these bytes: from now on a fetch of the part that brings other bytes is
   * found out. Must be called before any byte of the part is delivered or hashed.
   */
  pin(index: number, bytes: Uint8Array): PinResult {
    if (this.#pinnedBuffers.has(bytes)) return 'same';
    const hash = createHash('sha256').update(bytes).digest('base64');
    const pinned = this.#partHashes.get(index);
    if (pinned === undefined) {
      // A verified blob has all its parts pinned; a hole would let an unchecked part in.
      if (this.#verified) return 'different';
      this.#partHashes.set(index, hash);
    } else if (pinned !== hash) {
      return 'different';
    }
    this.#pinnedBuffers.add(bytes);
    return 'same';
  }

  /** Hash a pinned part if it is the next in order. */
  feed(index: number, bytes: Uint8Array): void {
    if (this.#verified || index !== this.#hashedParts) return;
    this.#hasher ??= createHasher(digestParts(this.#digest).algorithm);
    this.#hasher?.update(bytes);
    this.#hashedParts++;
  }

  /** Whether delivering `[start, end)` would complete the delivery of the whole blob. */
  wouldComplete(start: number, end: number): boolean {
    return this.#delivered.wouldCover(start, end, this.#size);
  }

  /** Record that `[start, end)` goes to a reader now. */
  deliver(start: number, end: number): void {
    this.#delivered.add(start, end);
  }

  /**
   * Hash what was not hashed yet, as `readPart` brings it, and answer whether all parts together hash to the digest. Callers see to it that one runs at a time.
   * @throws whatever `readPart` throws; it may then be called again
   */
  async verify(readPart: (index: number) => Promise<Uint8Array>): Promise<boolean> {
    while (!this.#verified && this.#hashedParts < partCount(this.#size)) {
      const index = this.#hashedParts;
      const bytes = await readPart(index);
      if (this.pin(index, bytes) === 'different') return false;
      this.feed(index, bytes);
    }
    if (this.#verified) return true;
    this.#verified = this.#hasher?.digest() === this.#digest;
    this.#hasher = undefined;
    return this.#verified;
  }

  /**
   * No kernel page and no reader holds unverified bytes any more: delivery begins anew. Part hashes
   * of a verified blob stay, so that a part fetched again is checked alone.
   */
  forgetDelivered(): void {
    this.#delivered.clear();
    if (this.#verified) return;
    this.#partHashes.clear();
    this.#pinnedBuffers = new WeakSet();
    this.#hasher = undefined;
    this.#hashedParts = 0;
  }

  /** Approximate memory in bytes. */
  get weight(): number {
    return 300 + this.#partHashes.size * 120;
  }
}
