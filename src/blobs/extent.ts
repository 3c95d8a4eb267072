import type { Piece } from './arena.js';
import { BLOCK_SIZE, wholeBlocks } from './grid.js';

/** What is so near its end is not stopped any more, in bytes. */
const NEARLY_DONE = 2 * BLOCK_SIZE;

/** What a wait for bytes ended with, other than with an error. */
export type Arrival = 'here' | 'gone';

/** Whose bytes an extent holds. */
export interface ExtentOwner {
  /** Bytes of the blob. */
  readonly size: number;
  /** The extent is about to be hashed: to evict it would mean to fetch it again. */
  willHash(extent: Extent): boolean;
  /** More blocks are here. */
  arrived(): void;
  /** The extent is about to lose its memory. */
  evicted(extent: Extent): void;
}

interface Waiter {
  readonly until: number;
  readonly resolve: (arrival: Arrival) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A run of blocks of one blob in memory, filled from its start to its end by one ranged GET (or
 * several, where one breaks). Memory is written once, before it is `here`, and never changes after.
 */
export class Extent {
  readonly owner: ExtentOwner;
  /** First byte in the blob; begins a block. */
  readonly start: number;
  /** Milliseconds, monotonic. */
  readonly madeAt = performance.now();
  /** Who is expected to read it, or to go on reading it. */
  reader: { readonly isOver: boolean } | undefined;
  readonly #stop = new AbortController();
  /** It was filled from the local disk. */
  isFromDisk = false;
  /** Where its bytes are; undefined before there was room, and after it was evicted. */
  piece: Piece | undefined;
  #end: number;
  #here: number;
  #filling = true;
  #gone = false;
  #holds = 0;
  #bytesRead = 0;
  #isKept = false;
  readonly #waiters = new Set<Waiter>();
  readonly #restChanged: (extent: Extent) => void;

  /** @param restChanged told whenever {@link isAtRest} may have changed */
  constructor(
    owner: ExtentOwner,
    start: number,
    end: number,
    restChanged: (extent: Extent) => void,
  ) {
    this.owner = owner;
    this.start = start;
    this.#end = end;
    this.#here = start;
    this.#restChanged = restChanged;
  }

  /** After the last byte, in the blob; ends a block. */
  get end(): number {
    return this.#end;
  }

  /** Bytes from {@link start} up to here can be read; ends a block. */
  get here(): number {
    return this.#here;
  }

  get isFilling(): boolean {
    return this.#filling;
  }

  /** It lost its memory, or its bytes are not to be used any more. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** Nobody reads its memory or waits for it, and nobody writes it. */
  get isAtRest(): boolean {
    return !this.#filling && this.#holds === 0;
  }

  /** Whether somebody waits for its bytes or reads them. */
  get isWanted(): boolean {
    return this.#holds > 0;
  }

  /** Aborts when it shall not be filled any further. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Whether any of it went to a reader or to the disk, so that it must not come as other bytes. */
  get isBinding(): boolean {
    return this.#bytesRead > 0 || this.#isKept;
  }

  /** Everything in it has been read, so that it is unlikely to be read again. */
  get isConsumed(): boolean {
    return this.#bytesRead >= this.#end - this.start;
  }

  /** Where the byte at `position` is in the arena. */
  addressOf(position: number): number {
    if (!this.piece) throw new Error('This extent has no memory.');
    return this.piece.offset + position - this.start;
  }

  /** Somebody is about to read what is left of it. */
  get isExpected(): boolean {
    return this.reader?.isOver === false && !this.isConsumed;
  }

  /** Keep its memory as it is until {@link drop}. */
  hold(): void {
    if (this.#holds++ === 0) this.#restChanged(this);
  }

  drop(): void {
    if (--this.#holds === 0) this.#restChanged(this);
  }

  /** So many of its bytes went to a reader. */
  read(bytes: number): void {
    this.#bytesRead += bytes;
  }

  /** Its bytes are on the local disk, or on their way there. */
  keep(): void {
    this.#isKept = true;
  }

  /**
   * Wait until the bytes before `until` are here, or will never be (`gone`). While somebody waits,
   * or holds it, its memory stays.
   * @throws what its filling failed with
   */
  wait(until: number): Promise<Arrival> {
    if (this.#gone) return Promise.resolve('gone');
    if (this.#here >= until) return Promise.resolve('here');
    if (!this.#filling) return Promise.resolve('gone');
    return new Promise((resolve, reject) => {
      this.#waiters.add({ until, resolve, reject });
    });
  }

  /** All bytes before `position` are in memory now, and may be handed out. */
  arrive(position: number): void {
    const here = wholeBlocks(Math.min(position, this.#end), this.owner.size);
    if (here <= this.#here || this.#gone) return;
    this.#here = here;
    for (const waiter of this.#waiters) {
      if (here < waiter.until) continue;
      this.#waiters.delete(waiter);
      waiter.resolve('here');
    }
    this.owner.arrived();
  }

  /** Nothing more will be written: the extent ends where it got to. */
  filled(error?: unknown): void {
    this.#filling = false;
    this.#end = this.#here;
    this.#settle(error);
    this.#restChanged(this);
  }

  /** Nobody needs the rest of it. */
  stop(): void {
    if (this.isWanted || (this.piece && this.#end - this.#here <= NEARLY_DONE)) return;
    this.#stop.abort();
  }

  /** Nobody shall use its bytes any more; the memory is free when it is at rest. */
  abandon(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#stop.abort();
    this.#settle();
    this.#restChanged(this);
  }

  /** It is at rest, and loses its memory. */
  evict(): void {
    this.#gone = true;
  }

  #settle(error?: unknown): void {
    for (const waiter of this.#waiters) {
      if (error === undefined) waiter.resolve('gone');
      else waiter.reject(error);
    }
    this.#waiters.clear();
  }
}
