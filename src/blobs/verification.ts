import { type Digest, digestParts } from '../oci/digest.js';
import type { Arena } from './arena.js';
import type { Extent } from './extent.js';
import type { ExtentMap } from './extent-map.js';
import { BLOCK_SIZE, blockOf, powerOfTwo } from './grid.js';
import type { Hashing, RunningHash } from './hashing.js';
import { Intervals } from './intervals.js';
import { PIN_SIZE, Pins } from './pins.js';

/**
 * Most bytes that are given to a hash thread at once, unless somebody waits for the end: to wake a
 * thread costs about as much as to hash 100 KiB.
 */
const STRIDE = 4 * 1024 * 1024;

/** What part of the memory a stride may be: bytes that wait for one must not have to go meanwhile. */
const STRIDE_SHARE = 1 / 16;

/** Strides in the hands of the hash thread: while it hashes one, the next is on its way. */
const MAX_STRIDES = 2;

/**
 * Promise 1 for one blob: what was delivered to readers, and whether it hashes to the blob's name.
 *
 * **Invariant**: every byte that was delivered was read from memory that either is still there and
 * unchanged, or was pinned; a block with a pin is fetched again only as the same bytes; and
 * `verified` is true only when all bytes, hashed from such memory in their order, hash to the
 * digest. So the bytes delivered over time by different GETs, to different handles, were all
 * checked once `verified` is true. From then on every block has a pin.
 */
export class Verification {
  readonly #digest: Digest;
  readonly #size: number;
  readonly #hashing: Hashing;
  readonly #arena: Arena;
  readonly #extents: ExtentMap;
  /** Bytes. */
  readonly #strideSize: number;
  readonly #pins = new Pins();
  readonly #delivered = new Intervals();
  #hash: RunningHash | undefined;
  /** Everything before this position was given to the hash. */
  #fed = 0;
  #strides = 0;
  #progress: Promise<void> = Promise.resolve();
  #verified = false;
  #trusted = false;
  #over = false;

  /** @param extents the blob's bytes in the memory of `arena` */
  constructor(
    blob: { readonly digest: Digest; readonly size: number },
    extents: ExtentMap,
    hashing: Hashing,
    arena: Arena,
  ) {
    this.#digest = blob.digest;
    this.#size = blob.size;
    this.#extents = extents;
    this.#hashing = hashing;
    this.#arena = arena;
    this.#strideSize = powerOfTwo(Math.min(STRIDE, arena.size * STRIDE_SHARE), BLOCK_SIZE);
  }

  get verified(): boolean {
    return this.#verified || this.#trusted;
  }

  /** The bytes were hashed here, so that they can be told from others without the local disk. */
  get isProven(): boolean {
    return this.#verified;
  }

  /** All bytes come from a file that was verified when it was made, from now to {@link end}. */
  trust(): void {
    this.#trusted = true;
  }

  /** Take over what readers were given of an earlier one. */
  continue(earlier: Verification): void {
    this.#delivered.addAll(earlier.#delivered);
  }

  /** Everything before this position was given to the hash. */
  get fed(): number {
    return this.#fed;
  }

  /** Whether the hash has as much to do as it is given at a time. */
  get isBusy(): boolean {
    return this.#strides >= MAX_STRIDES;
  }

  /** Settles when what was given to the hash so far is hashed. */
  get progress(): Promise<void> {
    return this.#progress;
  }

  /** Whether any byte reached a reader. */
  get anythingDelivered(): boolean {
    return !this.#delivered.isEmpty;
  }

  /**
   * Whether the block that has just been fetched may be delivered or hashed. A verified blob has
   * all its blocks pinned; a hole would let an unchecked block in.
   */
  accepts(index: number, block: Uint8Array): boolean {
    const pin = this.#pins.get(index);
    if (!pin) return !this.#verified;
    return Buffer.compare(this.#hashing.pinMaker.pin(block), pin) === 0;
  }

  /** The memory of an extent goes: tie what was delivered or hashed of it to these bytes. */
  evicted(extent: Extent): void {
    if (this.#trusted || (extent.start >= this.#fed && !extent.isBinding)) return;
    for (let at = extent.start; at < extent.here; at += BLOCK_SIZE) {
      const index = blockOf(at);
      if (this.#pins.get(index)) continue;
      const length = Math.min(BLOCK_SIZE, extent.here - at);
      const block = this.#arena.view(extent.addressOf(at), length);
      this.#pins.set(index, this.#hashing.pinMaker.pin(block));
    }
  }

  /**
   * Hash what is in memory next in order.
   * @param eager also what is little
   */
  feed(eager: boolean): void {
    while (!this.#over && !this.verified && !this.isBusy && this.#fed < this.#size) {
      const extent = this.#extents.at(this.#fed);
      if (!extent || extent.here <= this.#fed) return;
      const length = Math.min(this.#strideSize, extent.here - this.#fed);
      if (length < this.#strideSize && extent.here < extent.end && !eager) return;
      this.#progress = this.#stride(extent, length);
    }
  }

  /** Whether delivering `[start, end)` would complete the delivery of the whole blob. */
  wouldComplete(start: number, end: number): boolean {
    return this.#delivered.wouldCover(start, end, this.#size);
  }

  /** Record that `[start, end)` goes to a reader now. */
  deliver(start: number, end: number): void {
    if (!this.#verified) this.#delivered.add(start, end);
  }

  /**
   * Whether all bytes hash to the digest; asked by one at a time. Undefined: not all were given to
   * the hash, or it has to begin anew.
   */
  async matches(): Promise<boolean | undefined> {
    if (this.verified) return true;
    await this.#progress;
    const hash = this.#hash;
    if (this.#over || this.#fed < this.#size || !hash) return undefined;
    try {
      this.#verified = (await hash.digest()) === this.#digest && !this.#over;
    } catch {
      this.#beginAnew();
      return undefined;
    }
    this.#hash = undefined;
    return this.#verified;
  }

  /** It is replaced by another one. */
  end(): void {
    this.#over = true;
    this.#hash?.end();
    this.#hash = undefined;
  }

  /** Approximate memory in bytes. */
  get weight(): number {
    return 500 + this.#pins.weight;
  }

  async #stride(extent: Extent, length: number): Promise<void> {
    const from = this.#fed;
    const offset = extent.addressOf(from);
    this.#hash ??= this.#hashing.start(digestParts(this.#digest).algorithm, this.#size);
    this.#fed += length;
    this.#strides++;
    extent.hold();
    try {
      const pins = await this.#hash.update(offset, length);
      this.#pin(from, pins);
    } catch {
      // The thread died. What was delivered is pinned or still in memory.
      this.#beginAnew();
    } finally {
      this.#strides--;
      extent.drop();
    }
    this.feed(false);
  }

  #pin(from: number, pins: Uint8Array): void {
    if (this.#over) return;
    for (let at = 0; at < pins.byteLength; at += PIN_SIZE) {
      const index = blockOf(from) + at / PIN_SIZE;
      if (!this.#pins.get(index)) this.#pins.set(index, pins.subarray(at, at + PIN_SIZE));
    }
  }

  #beginAnew(): void {
    this.#hash?.end();
    this.#hash = undefined;
    this.#fed = 0;
  }
}
