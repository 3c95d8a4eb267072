import type { InodeNumber } from '../../tree/file-system.js';
import { type Backing, makeSlots, OpenSlots, slotOf } from './open-slots.js';

/** Between two looks for files that nobody opens any more, in ms. */
const SWEEP_MS = 1000;

/** A file that was not opened for so many sweeps is closed. */
const IDLE_SWEEPS = 5;

/** After so many sweeps a file that we read for the kernel is looked at anew: it may be cached by now. */
const OLD_SWEEPS = 10;

interface SharedFile<File> {
  readonly ino: InodeNumber;
  readonly file: File;
  /** No more opens: it is closed when the last one who has it open closes it. */
  retired: boolean;
  /** Or 0, see {@link OpenSlots.publish}. */
  readonly backingId: number;
  sweeps: number;
  usesSeen: number;
  idleSweeps: number;
}

/**
 * Files that serving threads open and close by themselves, see {@link OpenSlots}. Each is one open
 * file here, `File`, for all who have it open.
 */
export class SharedFiles<File> {
  /** The table to share with the threads. */
  readonly cells = makeSlots();
  readonly #slots = new OpenSlots(this.cells);
  readonly #files = new Map<number, SharedFile<File>>();
  readonly #slotOf = new Map<InodeNumber, number>();
  readonly #close: (file: File) => void;
  readonly #isSound: (file: File) => boolean;
  /** Whether files that we read for the kernel may become such as it reads by itself. */
  renew = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param close called once for each file that was published
   * @param isSound called from time to time: if not, it is not to be opened any more
   */
  constructor(close: (file: File) => void, isSound: (file: File) => boolean = () => true) {
    this.#close = close;
    this.#isSound = isSound;
  }

  /** Files that are open for sharing, whether anybody has them open or not. */
  get size(): number {
    return this.#files.size;
  }

  /**
   * Have the threads open an inode through this file from now on.
   * @returns the handle of its first open; undefined if there is no room, or it is published
   *   already: then the file is not taken
   */
  publish(ino: InodeNumber, file: File, backing?: Backing): number | undefined {
    const last = this.#slotOf.get(ino);
    if (last !== undefined) {
      // One that is retired makes room as soon as nobody has it open.
      if (this.#files.get(last)?.retired !== true || !this.#closeUnused(last)) return undefined;
    }
    const slot = this.#slots.candidates(ino).find((candidate) => this.#isFree(candidate));
    const taken = slot ?? this.#evict(ino);
    if (taken === undefined) return undefined;
    const usesSeen = this.#slots.uses(taken);
    const fresh = { retired: false, usesSeen, idleSweeps: 0, sweeps: 0 };
    this.#files.set(taken, { ino, file, backingId: backing?.id ?? 0, ...fresh });
    this.#slotOf.set(ino, taken);
    this.#timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
    return this.#slots.publish(taken, ino, backing);
  }

  /** Open an inode as threads do; undefined if it is not published. */
  open(ino: InodeNumber): number | undefined {
    return this.#slots.enter(ino >>> 0, Math.floor(ino / 2 ** 32));
  }

  /** Id of the file that the kernel reads by itself through this handle, or 0. */
  backingId(handle: number): number {
    return this.#slots.backingId(handle);
  }

  /** Close as threads do; false for a handle that is not open. */
  release(handle: number): boolean {
    if (!this.#slots.leave(handle)) return false;
    const slot = slotOf(handle);
    if (this.#files.get(slot)?.retired === true) this.#closeUnused(slot);
    return true;
  }

  /** The file behind a handle, or undefined. */
  get(handle: number): File | undefined {
    return this.#slots.isCurrent(handle) ? this.#files.get(slotOf(handle))?.file : undefined;
  }

  /** Nobody may open this inode through a shared file any more, from this moment on. */
  retire(ino: InodeNumber): void {
    const slot = this.#slotOf.get(ino);
    const shared = slot === undefined ? undefined : this.#files.get(slot);
    if (slot === undefined || shared === undefined) return;
    shared.retired = true;
    this.#slots.forbid(slot);
    if (this.#slots.count(slot) === 0) this.#drop(slot, shared);
  }

  /** Close what is retired or was not opened for a while, and nobody has open. */
  sweep(renew = this.renew): void {
    for (const [slot, shared] of this.#files) {
      const uses = this.#slots.uses(slot);
      shared.idleSweeps = uses === shared.usesSeen ? shared.idleSweeps + 1 : 0;
      shared.usesSeen = uses;
      shared.sweeps += 1;
      const isOld = renew && shared.backingId === 0 && shared.sweeps >= OLD_SWEEPS;
      if (isOld || !this.#isSound(shared.file)) this.retire(shared.ino);
      if (shared.retired || shared.idleSweeps >= IDLE_SWEEPS) this.#closeUnused(slot);
    }
  }

  /** The session is over: close all, whoever has them open. */
  closeAll(): void {
    for (const [slot, shared] of this.#files) {
      this.#slots.forbid(slot);
      this.#drop(slot, shared);
    }
  }

  #isFree(slot: number): boolean {
    return !this.#files.has(slot) && this.#slots.count(slot) === 0;
  }

  /** Make room in the set of an inode by the file that was idle for longest. */
  #evict(ino: InodeNumber): number | undefined {
    const idle = (slot: number): number => this.#files.get(slot)?.idleSweeps ?? -1;
    return this.#slots
      .candidates(ino)
      .sort((a, b) => idle(b) - idle(a))
      .find((slot) => this.#files.has(slot) && this.#closeUnused(slot));
  }

  /** Close a file unless somebody has it open; then it stays as it is. */
  #closeUnused(slot: number): boolean {
    const shared = this.#files.get(slot);
    if (shared === undefined) return false;
    if (this.#slots.count(slot) > 0) return false;
    this.#slots.forbid(slot);
    if (this.#slots.count(slot) > 0) {
      // Opened in this very moment.
      if (!shared.retired) this.#slots.allow(slot);
      return false;
    }
    this.#drop(slot, shared);
    return true;
  }

  #drop(slot: number, shared: SharedFile<File>): void {
    this.#files.delete(slot);
    this.#slotOf.delete(shared.ino);
    this.#slots.free(slot);
    if (this.#files.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#close(shared.file);
  }
}
