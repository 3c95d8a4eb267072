import { Arena, type Piece } from './arena.js';
import { BLOCK_SIZE, PART_SIZE, powerOfTwo } from './grid.js';
import { Extent, type ExtentOwner } from './extent.js';

/** Less would not hold a block for a reader and one to be hashed. */
const LEAST_MEMORY = 4 * BLOCK_SIZE;

/** How much of the memory may be fetched ahead of readers. */
const AHEAD_SHARE = 0.75;

interface Waiting {
  readonly length: number;
  readonly resolve: (piece: Piece) => void;
}

/**
 * The memory budget of all blobs. Extents at rest stay, the least recently used go first when room
 * is needed; those which were read to their end go before those that were not, and those which
 * somebody is about to read go last.
 *
 * Nobody who holds memory waits for more, so whoever waits gets some: holds end by themselves.
 */
export class Memory {
  readonly arena: Arena;
  /** Bytes of the largest extent that may be asked for. */
  readonly largest: number;
  readonly #consumed = new Set<Extent>();
  readonly #resting = new Set<Extent>();
  readonly #expected = new Set<Extent>();
  readonly #waiting: Waiting[] = [];
  #answered: Extent[] = [];
  /** Told when memory became free that readers in need did not take. */
  freed: () => void = () => undefined;
  /** Asked to stop fetches that nobody waits for: a reader lacks memory. */
  pressed: () => void = () => undefined;

  constructor(bytes: number) {
    this.arena = new Arena(Math.max(LEAST_MEMORY, bytes));
    this.largest = Math.min(PART_SIZE, powerOfTwo(this.arena.size / 4, BLOCK_SIZE));
  }

  /** How many bytes may be fetched ahead, by all readers together. */
  get aheadBytes(): number {
    return this.arena.size * AHEAD_SHARE;
  }

  /** Bytes held. */
  get used(): number {
    return this.arena.used;
  }

  /** An extent without memory, to be filled. */
  extent(owner: ExtentOwner, start: number, end: number): Extent {
    return new Extent(owner, start, end, (extent) => this.#restChanged(extent));
  }

  /** Give an extent memory, if there is some that can be had without taking it from a reader. */
  tryGive(extent: Extent): boolean {
    if (this.#waiting.length > 0) return false;
    const piece = this.#allocate(extent.end - extent.start, false);
    if (piece) extent.piece = piece;
    return piece !== undefined;
  }

  /** Give an extent memory, as soon as there is some. */
  async give(extent: Extent): Promise<void> {
    const length = extent.end - extent.start;
    if (this.#waiting.length === 0) {
      extent.piece = this.#allocate(length, true);
      if (extent.piece) return;
    }
    extent.piece = await new Promise<Piece>((resolve) => {
      this.#waiting.push({ length, resolve });
      this.pressed();
    });
  }

  /** Keep the memory of an extent until the event loop's next turn: until an answer is written. */
  holdForAnswer(extent: Extent): void {
    extent.hold();
    if (this.#answered.push(extent) > 1) return;
    setImmediate(() => {
      const answered = this.#answered;
      this.#answered = [];
      for (const one of answered) one.drop();
    });
  }

  /** The extent was used: it goes later. */
  touch(extent: Extent): void {
    if (extent.isAtRest && !extent.isGone) this.#rest(extent);
  }

  #restChanged(extent: Extent): void {
    if (!extent.isAtRest) {
      this.#forget(extent);
    } else if (extent.isGone || extent.here === extent.start) {
      this.#forget(extent);
      this.#reclaim(extent);
      this.#serve();
    } else {
      this.#trim(extent);
      this.#rest(extent);
      this.#serve();
    }
  }

  #rest(extent: Extent): void {
    this.#forget(extent);
    if (extent.isExpected) this.#expected.add(extent);
    else if (extent.isConsumed) this.#consumed.add(extent);
    else this.#resting.add(extent);
  }

  #forget(extent: Extent): void {
    this.#expected.delete(extent);
    this.#consumed.delete(extent);
    this.#resting.delete(extent);
  }

  /** A fetch that ended early leaves memory that was never filled. */
  #trim(extent: Extent): void {
    if (!extent.piece) return;
    const { offset, length } = extent.piece;
    const used = Math.ceil((extent.end - extent.start) / 4096) * 4096;
    if (used >= length) return;
    this.arena.free({ offset: offset + used, length: length - used });
    extent.piece = { offset, length: used };
  }

  #reclaim(extent: Extent): void {
    extent.evict();
    extent.owner.evicted(extent);
    if (extent.piece) this.arena.free(extent.piece);
    extent.piece = undefined;
  }

  /** Those who need memory for a reader get it in the order in which they asked. */
  #serve(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const piece = this.#allocate(first.length, true);
      if (!piece) return;
      this.#waiting.shift();
      first.resolve(piece);
    }
    this.freed();
  }

  #allocate(length: number, forReader: boolean): Piece | undefined {
    for (;;) {
      const piece = this.arena.allocate(length);
      if (piece) return piece;
      const victim = this.#victim(forReader);
      if (!victim) return undefined;
      this.#forget(victim);
      this.#reclaim(victim);
    }
  }

  /**
   * What goes next. Nothing that is about to be hashed: that does not take long, and fetching it
   * again would. What somebody is about to read goes only for a reader in need.
   */
  #victim(forReader: boolean): Extent | undefined {
    for (const extents of [this.#consumed, this.#resting, this.#expected]) {
      for (const extent of extents) {
        if (!extent.isExpected && !extent.owner.willHash(extent)) return extent;
      }
    }
    if (!forReader) return undefined;
    // The one that came last is mostly the one that is wanted last.
    return [...this.#expected].filter((extent) => !extent.owner.willHash(extent)).at(-1);
  }
}
