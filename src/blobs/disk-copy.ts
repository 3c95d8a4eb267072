import type { Arena } from './arena.js';
import type { Backlog } from './backlog.js';
import type { CachedBlob, ContentName, DiskCache, PartialBlob } from './disk-cache.js';
import type { Extent } from './extent.js';
import type { ExtentMap } from './extent-map.js';

/** Writes of one blob that run at once: the disk should not wait for the event loop's next turn. */
const WRITERS = 6;

/** How long an open waits to learn what an earlier run left of the blob, in ms. */
const PATIENCE_MS = 200;

/** Whether bytes are those that were verified. */
export type CheckBytes = (position: number, bytes: Uint8Array) => boolean;

interface Write {
  readonly index: number;
  readonly bytes: Uint8Array;
  /** See {@link DiskCopy.reopen}. */
  readonly epoch: number;
  /** Whose memory it is, unless it is a copy. */
  readonly held?: Extent;
}

export interface DiskCopyMeans {
  /** What of the blob is in memory. */
  readonly extents: ExtentMap;
  readonly arena: Arena;
  readonly backlog: Backlog;
  /** Called when the blob has become complete on the disk: whoever opens it now finds it there. */
  readonly kept: () => void;
}

/**
 * What the local disk has of one blob, from its first open to its last close. Nobody waits for what
 * is written, and whatever the disk fails at is done without it.
 */
export class DiskCopy {
  readonly #disk: DiskCache;
  readonly #name: ContentName;
  readonly #extents: ExtentMap;
  readonly #arena: Arena;
  readonly #backlog: Backlog;
  readonly #kept: () => void;
  #complete: CachedBlob | undefined;
  /** No longer read, but open while handles are that were given its descriptor. */
  readonly #dropped: CachedBlob[] = [];
  #partial: PartialBlob | undefined;
  #isClosed = false;
  /** It was closed and can be opened no more. */
  #isOver = false;
  /** Of its closings, the last one ends it. */
  #closings = 0;
  /** Another one when the bytes in memory may have become others. */
  #epoch = 0;
  /** A partial file is being looked for, or becoming the complete blob. */
  #isBusy = false;
  /** Parts that are on the disk as they were in memory: written, or read, by us. */
  readonly #vouched = new Set<number>();
  readonly #waiting: Write[] = [];
  /** Parts that wait or are being written. */
  readonly #pending = new Set<number>();
  /** Parts that found no room to wait, for as long as they may be in memory; their bytes. */
  readonly #skipped = new Map<number, number>();
  readonly #retry = () => this.#catchUp();
  readonly #writing = new Set<Promise<void>>();
  #opening: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;

  constructor(
    disk: DiskCache,
    name: ContentName,
    { extents, arena, backlog, kept }: DiskCopyMeans,
  ) {
    this.#disk = disk;
    this.#name = name;
    this.#extents = extents;
    this.#arena = arena;
    this.#backlog = backlog;
    this.#kept = kept;
  }

  /** The whole blob, if the disk has it. */
  get complete(): CachedBlob | undefined {
    return this.#complete;
  }

  /** Look for the complete blob; answers whether there is one. */
  async open(): Promise<boolean> {
    const complete = await this.#disk.open(this.#name);
    if (this.#isClosed) complete?.close();
    else this.#complete = complete;
    return this.#complete !== undefined;
  }

  /** Begin to keep the blob, or go on where an earlier run stopped. */
  openPartial(): void {
    this.#isBusy = true;
    this.#opening = this.#disk.openPartial(this.#name).then((partial) => {
      this.#isBusy = false;
      this.#partial = partial;
      // What came while a slow disk was making the file.
      for (const extent of this.#extents) this.arrived(extent);
    });
  }

  /**
   * Settles when it is known what an earlier run left, or when the disk takes too long to say so:
   * whoever reads before that has fetched again what is there.
   */
  async looked(): Promise<void> {
    if (!this.#opening || this.#partial) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    await Promise.race([this.#opening, late]);
    clearTimeout(timer);
  }

  /** Fill memory from the disk; false when it does not have the whole range or fails. */
  async read(target: Uint8Array, position: number): Promise<boolean> {
    if (this.#isOver) return false;
    const source = this.#complete ?? (this.#has(position, target.byteLength) && this.#partial);
    if (!source) return false;
    try {
      await source.read(target, position);
    } catch {
      if (source === this.#complete) this.dropComplete();
      return false;
    }
    return true;
  }

  /** What was read of a range became the bytes in memory. */
  vouch(start: number, end: number): void {
    const partSize = this.#partial?.partSize ?? Infinity;
    for (let index = Math.ceil(start / partSize); ; index++) {
      const partEnd = Math.min(this.#name.size, (index + 1) * partSize);
      if (partEnd > end || partEnd <= index * partSize) return;
      this.#vouched.add(index);
    }
  }

  /** The complete blob cannot be read, or is not right. */
  dropComplete(): void {
    if (this.#complete) this.#dropped.push(this.#complete);
    this.#complete = undefined;
  }

  /** All bytes of an extent came from the store: keep the parts that are whole by now. */
  arrived(extent: Extent): void {
    if (!this.#partial) return;
    const { partSize } = this.#partial;
    const first = Math.floor(extent.start / partSize);
    for (let index = first; index * partSize < extent.here; index++) this.#keep(index);
  }

  /**
   * All bytes are verified: make the blob complete, if all of it is on the disk or in memory. What
   * the disk did not take the first time may be there at the next reading.
   */
  finish(check: CheckBytes): void {
    const before = this.#finishing ?? Promise.resolve();
    this.#finishing = before.then(() => this.#finish(check));
  }

  /**
   * Go on with it although it was closed, as long as it is still writing: the file is nobody else's
   * until then, so what is read meanwhile would be kept nowhere.
   * @param isSame what is in memory is known to be what was there before it was closed
   * @returns false when there is nothing to go on with
   */
  reopen(isSame: boolean): boolean {
    const isWriting = this.#partial !== undefined || this.#isBusy;
    if (this.#isOver || !isWriting) return false;
    this.#isClosed = false;
    this.#closings++;
    if (!isSame) {
      this.#epoch++;
      this.#vouched.clear();
    }
    return true;
  }

  /** The bytes are wrong. It is still to be closed. */
  async discard(): Promise<void> {
    this.#isClosed = true;
    this.#isOver = true;
    this.dropComplete();
    await this.#opening;
    const partial = this.#partial;
    this.#partial = undefined;
    this.#forgetSkipped();
    this.#forgetWaiting();
    await partial?.discard();
  }

  /** The last handle is closed: what waits is written, and more can be added another time. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const closing = ++this.#closings;
    this.dropComplete();
    for (const dropped of this.#dropped.splice(0)) dropped.close();
    await this.#opening;
    await this.#finishing;
    await this.#written();
    if (closing !== this.#closings) return;
    this.#isOver = true;
    this.#forgetSkipped();
    const partial = this.#partial;
    this.#partial = undefined;
    await partial?.close();
  }

  async #finish(check: CheckBytes): Promise<void> {
    await this.#opening;
    const partial = this.#partial;
    if (!partial) return;
    const count = Math.ceil(this.#name.size / partial.partSize);
    for (let index = 0; index < count; index++) {
      this.#keep(index);
      // No faster than the disk: nobody waits for this.
      if (this.#skipped.size > 0) await this.#written();
    }
    await this.#written();
    this.#forgetSkipped();
    for (let index = 0; index < count; index++) if (!partial.has(index)) return;
    for (let index = 0; index < count; index++) {
      if (!this.#vouched.has(index) && !(await this.#recheck(partial, index, check))) return;
    }
    if (this.#partial !== partial) return;
    this.#partial = undefined;
    this.#isBusy = true;
    const complete = await partial.complete();
    this.#isBusy = false;
    if (this.#isClosed) complete?.close();
    else this.#complete = complete;
    if (complete) this.#kept();
  }

  #has(position: number, length: number): boolean {
    if (!this.#partial) return false;
    const { partSize } = this.#partial;
    const last = Math.floor((position + length - 1) / partSize);
    for (let index = Math.floor(position / partSize); index <= last; index++) {
      if (!this.#partial.has(index)) return false;
    }
    return true;
  }

  /** Write a part, if all of it is in memory and there is room to wait. */
  #keep(index: number): void {
    const { partSize = 0 } = this.#partial ?? {};
    const start = index * partSize;
    const end = Math.min(this.#name.size, start + partSize);
    if (end <= start || this.#vouched.has(index)) return;
    if (this.#pending.has(index)) return;
    const isSkipped = this.#skipped.has(index);
    if (this.#extents.hereFrom(start) < end) {
      if (isSkipped) this.#unskip(index);
      return;
    }
    if (!this.#backlog.enter(end - start, this.#retry)) {
      if (!isSkipped) this.#backlog.skip(end - start);
      this.#skipped.set(index, end - start);
      return;
    }
    if (isSkipped) this.#unskip(index);
    const write = { ...this.#memoryOf(start, end), index, epoch: this.#epoch };
    this.#waiting.push(write);
    this.#pending.add(index);
    if (this.#writing.size === WRITERS) return;
    const writing = this.#writeAll().finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  /** There may be room for what found none. */
  #catchUp(): void {
    for (const index of [...this.#skipped.keys()]) {
      const before = this.#skipped.size;
      this.#keep(index);
      if (this.#skipped.size === before) return;
    }
  }

  #unskip(index: number): void {
    this.#backlog.skip(-(this.#skipped.get(index) ?? 0));
    this.#skipped.delete(index);
  }

  #forgetSkipped(): void {
    this.#backlog.forget(this.#retry);
    for (const index of [...this.#skipped.keys()]) this.#unskip(index);
  }

  /** A part in memory, held there, or copied together where it lies in several places. */
  #memoryOf(start: number, end: number): Pick<Write, 'bytes' | 'held'> {
    const only = this.#extents.at(start);
    if (only && only.here >= end) {
      only.keep();
      only.hold();
      return { bytes: this.#arena.view(only.addressOf(start), end - start), held: only };
    }
    const bytes = Buffer.allocUnsafeSlow(end - start);
    for (let at = start; at < end;) {
      const extent = this.#extents.at(at);
      if (!extent) throw new Error('What is here has memory.');
      const to = Math.min(end, extent.here);
      bytes.set(this.#arena.view(extent.addressOf(at), to - at), at - start);
      extent.keep();
      at = to;
    }
    return { bytes };
  }

  async #writeAll(): Promise<void> {
    // Not within the call that brought the bytes: more of them come with it.
    await Promise.resolve();
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const run = this.#nextRun(first);
      this.#waiting.splice(0, run.length);
      const kept = (await this.#partial?.write(first.index, joined(run))) ?? false;
      for (const write of run) {
        if (kept && write.epoch === this.#epoch) this.#vouched.add(write.index);
        this.#release(write);
      }
    }
  }

  /** All that waits, and what finds room meanwhile, is written. */
  async #written(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  /** What waits first, and what follows it in the blob and in memory: one write is faster than many. */
  #nextRun(first: Write): Write[] {
    const run = [first];
    for (const next of this.#waiting.slice(1)) {
      if (first.held === undefined || next.held !== first.held) break;
      if (next.index !== first.index + run.length) break;
      run.push(next);
    }
    return run;
  }

  #release(write: Write): void {
    this.#pending.delete(write.index);
    write.held?.drop();
    this.#backlog.leave(write.bytes.byteLength);
  }

  #forgetWaiting(): void {
    for (const write of this.#waiting.splice(0)) this.#release(write);
  }

  /** A part that is on the disk, but neither written nor read by us, is read and compared. */
  async #recheck(partial: PartialBlob, index: number, check: CheckBytes): Promise<boolean> {
    if (!partial.has(index)) return false;
    const start = index * partial.partSize;
    const bytes = Buffer.allocUnsafeSlow(Math.min(partial.partSize, this.#name.size - start));
    try {
      await partial.read(bytes, start);
    } catch {
      return false;
    }
    return check(start, bytes);
  }
}

/** The bytes of parts that follow one another in memory. */
function joined(run: readonly Write[]): Uint8Array {
  const [first] = run;
  if (!first || run.length === 1) return first?.bytes ?? new Uint8Array();
  const length = run.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  return new Uint8Array(first.bytes.buffer, first.bytes.byteOffset, length);
}
