import { PART_SIZE, powerOfTwo } from './grid.js';

/** The smallest piece of memory that is given out, in bytes. */
const GRAIN = 4096;

/** Sizes are GRAIN × 2^order; the largest is a part. */
const ORDERS = Math.log2(PART_SIZE / GRAIN) + 1;

/** A piece of an {@link Arena}. */
export interface Piece {
  /** In the arena, in bytes. */
  readonly offset: number;
  /** Bytes; a multiple of 4 KiB. */
  readonly length: number;
}

/**
 * One block of shared memory, given out in pieces of up to {@link PART_SIZE} bytes: a buddy
 * allocator, so that what is given back can be given out in any other size. Threads see the same
 * memory without a copy, and no more is ever used than was set aside. The system gives us a page
 * when it is first written.
 */
export class Arena {
  readonly memory: SharedArrayBuffer;
  readonly size: number;
  /** Offsets of free pieces, by order. */
  readonly #free: Set<number>[] = Array.from({ length: ORDERS }, () => new Set());
  #freeBytes = 0;

  /** @param size bytes; what is no multiple of 4 KiB is not used */
  constructor(size: number) {
    this.size = Math.max(GRAIN, size - (size % GRAIN));
    this.memory = new SharedArrayBuffer(this.size);
    this.free({ offset: 0, length: this.size });
  }

  /** Bytes that are given out. */
  get used(): number {
    return this.size - this.#freeBytes;
  }

  /** A piece of at least `length` bytes, less than 4 KiB more; undefined when there is none. */
  allocate(length: number): Piece | undefined {
    const whole = Math.ceil(length / GRAIN) * GRAIN;
    const order = orderOf(powerOfTwo(2 * whole - 1, GRAIN));
    for (let from = order; from < ORDERS; from++) {
      const [offset] = this.#free[from] ?? [];
      if (offset === undefined) continue;
      this.#free[from]?.delete(offset);
      const size = GRAIN << from;
      this.#freeBytes -= size;
      this.free({ offset: offset + whole, length: size - whole });
      return { offset, length: whole };
    }
    return undefined;
  }

  /** Give back a piece, or a part of one that begins and ends at multiples of 4 KiB. */
  free({ offset, length }: Piece): void {
    const end = offset + length;
    for (let at = offset; at < end;) {
      // The largest power of two that fits and that `at` is a multiple of.
      let size = Math.min(PART_SIZE, powerOfTwo(end - at, GRAIN));
      while (at % size !== 0) size /= 2;
      this.#freeBytes += size;
      this.#join(at, orderOf(size));
      at += size;
    }
  }

  /** The bytes of a piece. */
  view(offset: number, length: number): Uint8Array {
    return Buffer.from(this.memory, offset, length);
  }

  #join(offset: number, order: number): void {
    let at = offset;
    let level = order;
    for (; level < ORDERS - 1; level++) {
      const size = GRAIN << level;
      const buddy = (at / size) % 2 === 0 ? at + size : at - size;
      if (this.#free[level]?.delete(buddy) !== true) break;
      at = Math.min(at, buddy);
    }
    this.#free[level]?.add(at);
  }
}

function orderOf(size: number): number {
  return Math.log2(size / GRAIN);
}
