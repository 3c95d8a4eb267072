import { fstatSync } from 'node:fs';

/**
 * Which inodes serving threads may open by themselves, and how often each is open: a table in
 * memory that all threads share.
 *
 * The main thread publishes an inode in a slot, and keeps it open in the tree for as long as
 * anybody may have it open through the slot. Two words decide: `ALLOWED`, which the main thread
 * alone writes, and `COUNT`. Who opens counts first and looks then whether it was allowed; who
 * retires a slot forbids first and looks then whether anybody was counted. All of it is sequentially
 * consistent (`Atomics`), so at least one of the two sees the other: an open that was let in is
 * seen by the one who would close the file.
 *
 * A thread that dies between counting and answering leaves a count behind; its slot is lost until
 * the session ends, and the file stays open until then.
 */

/** An inode has its place in one set of slots, by its number. */
const SETS = 128;
const WAYS = 4;

/** Inodes that can be published at once. */
export const SLOTS = SETS * WAYS;

/** Words of a slot: a line of the processor's cache, so that opens of two inodes do not disturb each other. */
const WORDS = 16;

/** The inode's number; both halves 0 while the slot is free. */
const LOW = 0;
const HIGH = 1;
/** The generation while the inode may be opened through the slot, else 0. */
const ALLOWED = 2;
/** How often the slot was published: tells its handles from those of its past. */
const GENERATION = 3;
/** Files that are open through the slot, and for a moment each attempt to open one. */
const COUNT = 4;
/** Opens so far; it wraps around. */
const USES = 5;

/** Id of the file that the kernel reads by itself, or 0; as long as the slot is published. */
const BACKING = 6;

/** Descriptor of that file, and both halves of its time of change when its bytes were known to be right. */
const BACKING_FD = 7;
const CHANGED_LOW = 8;
const CHANGED_HIGH = 9;

/** A plain file that has the bytes of an inode. */
export interface Backing {
  /** The kernel's id for it, when the kernel reads it by itself; 0 when we serve the reads. */
  readonly id: number;
  /** Open for reading as long as the slot is published. */
  readonly fd: number;
  /** Its ctime, in ns, when its bytes were known to be right; undefined where nobody may change it. */
  readonly changedAt?: bigint;
}

const NO_BACKING: Backing = { id: 0, fd: -1 };

/** Handles of slots are above all that the main thread gives. */
const FIRST_HANDLE = 2 ** 48;
const MAX_GENERATION = 2 ** 31 - 1;

/** Memory for {@link OpenSlots}. */
export function makeSlots(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * WORDS * SLOTS));
}

/** Whether a file handle is one that {@link OpenSlots} gave. */
export function isSlotHandle(handle: number): boolean {
  return handle >= FIRST_HANDLE;
}

/** The slot of a handle, for a table that the main thread keeps beside. */
export function slotOf(handle: number): number {
  return (handle - FIRST_HANDLE) % SLOTS;
}

/** The table, as any thread uses it. */
export class OpenSlots {
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(cells: Int32Array<SharedArrayBuffer>) {
    this.#cells = cells;
  }

  /**
   * Open an inode through its slot.
   * @param low and `high`: the halves of its number
   * @returns a handle that {@link leave} takes back, or undefined if the tree must be asked
   */
  enter(low: number, high: number): number | undefined {
    const cells = this.#cells;
    const first = setOf(low) * WAYS;
    for (let slot = first; slot < first + WAYS; slot += 1) {
      const base = slot * WORDS;
      if (!this.#isFor(base, low, high)) continue;
      Atomics.add(cells, base + COUNT, 1);
      const generation = Atomics.load(cells, base + ALLOWED);
      // The slot may have become another inode's since we looked.
      if (generation !== 0 && this.#isFor(base, low, high) && this.#isUnchanged(base)) {
        Atomics.add(cells, base + USES, 1);
        return handleOf(slot, generation);
      }
      Atomics.sub(cells, base + COUNT, 1);
    }
    return undefined;
  }

  /**
   * Close what {@link enter} has opened.
   * @returns false if no slot has given this handle
   */
  leave(handle: number): boolean {
    if (!this.isCurrent(handle)) return false;
    Atomics.sub(this.#cells, slotOf(handle) * WORDS + COUNT, 1);
    return true;
  }

  /** What {@link publish} was given, for a handle that is open. */
  backingId(handle: number): number {
    return Atomics.load(this.#cells, slotOf(handle) * WORDS + BACKING);
  }

  /** Whether the slot of a handle is still published as it was when it gave the handle. */
  isCurrent(handle: number): boolean {
    if (!isSlotHandle(handle)) return false;
    const slot = slotOf(handle);
    if (this.#isFor(slot * WORDS, 0, 0)) return false;
    return handle === handleOf(slot, Atomics.load(this.#cells, slot * WORDS + GENERATION));
  }

  /** A slot in which the inode may be published; by the main thread only. */
  candidates(ino: number): number[] {
    const first = setOf(ino >>> 0) * WAYS;
    return Array.from({ length: WAYS }, (_, way) => first + way);
  }

  /**
   * Publish an inode in a free slot that nobody is counted in, opened once; by the main thread only.
   * @returns the handle of that first open
   */
  publish(slot: number, ino: number, { id, fd, changedAt }: Backing = NO_BACKING): number {
    const cells = this.#cells;
    const base = slot * WORDS;
    const generation = (Atomics.load(cells, base + GENERATION) % MAX_GENERATION) + 1;
    Atomics.add(cells, base + COUNT, 1);
    Atomics.add(cells, base + USES, 1);
    Atomics.store(cells, base + GENERATION, generation);
    Atomics.store(cells, base + BACKING, id);
    Atomics.store(cells, base + BACKING_FD, changedAt === undefined ? -1 : fd);
    Atomics.store(cells, base + CHANGED_LOW, lowHalf(changedAt ?? 0n));
    Atomics.store(cells, base + CHANGED_HIGH, highHalf(changedAt ?? 0n));
    Atomics.store(cells, base + LOW, ino | 0);
    Atomics.store(cells, base + HIGH, Math.floor(ino / 2 ** 32) | 0);
    Atomics.store(cells, base + ALLOWED, generation);
    return handleOf(slot, generation);
  }

  /** Let nobody open the inode any more; by the main thread only. */
  forbid(slot: number): void {
    Atomics.store(this.#cells, slot * WORDS + ALLOWED, 0);
  }

  /** Take {@link forbid} back, while the file is still open in the tree; by the main thread only. */
  allow(slot: number): void {
    const generation = Atomics.load(this.#cells, slot * WORDS + GENERATION);
    Atomics.store(this.#cells, slot * WORDS + ALLOWED, generation);
  }

  /** Files open through a slot. After {@link forbid}, 0 means that none is and none will be. */
  count(slot: number): number {
    return Atomics.load(this.#cells, slot * WORDS + COUNT);
  }

  /** Changes with every open. */
  uses(slot: number): number {
    return Atomics.load(this.#cells, slot * WORDS + USES);
  }

  /** The slot is forbidden and its file is closed; by the main thread only. */
  free(slot: number): void {
    Atomics.store(this.#cells, slot * WORDS + LOW, 0);
    Atomics.store(this.#cells, slot * WORDS + HIGH, 0);
  }

  /** Whether the file behind it is still as it was when its bytes were verified. */
  #isUnchanged(base: number): boolean {
    const cells = this.#cells;
    const fd = Atomics.load(cells, base + BACKING_FD);
    if (fd < 0) return true;
    try {
      const { ctimeNs } = fstatSync(fd, { bigint: true });
      return (
        Atomics.load(cells, base + CHANGED_LOW) === lowHalf(ctimeNs) &&
        Atomics.load(cells, base + CHANGED_HIGH) === highHalf(ctimeNs)
      );
    } catch {
      return false;
    }
  }

  #isFor(base: number, low: number, high: number): boolean {
    const cells = this.#cells;
    return (
      Atomics.load(cells, base + LOW) === (low | 0) &&
      Atomics.load(cells, base + HIGH) === (high | 0)
    );
  }
}

const lowHalf = (value: bigint) => Number(BigInt.asIntN(32, value));
const highHalf = (value: bigint) => Number(BigInt.asIntN(32, value >> 32n));

function handleOf(slot: number, generation: number): number {
  return FIRST_HANDLE + generation * SLOTS + slot;
}

/** Inode numbers are hashes in the real tree, and count up in others. */
function setOf(low: number): number {
  return (low >>> 0) % SETS;
}
