import type { Digest } from '../oci/digest.js';
import type { GetResult } from '../store/object-store.js';
import type { Arena } from './arena.js';
import type { Backlog } from './backlog.js';
import type { CopyBuffers } from './copy-buffers.js';
import type { CachedBlob, DiskCache } from './disk-cache.js';
import { DiskCopy } from './disk-copy.js';
import { BlobError } from './errors.js';
import { type Extent, type ExtentOwner } from './extent.js';
import { ExtentMap } from './extent-map.js';
import type { BlobName } from './finder.js';
import { BLOCK_SIZE, type ByteRange, FIRST_SIZE, blockOf, wholeBlocks } from './grid.js';
import type { Hashing } from './hashing.js';
import type { Memory } from './memory.js';
import type { AheadContent, ReadAhead } from './read-ahead.js';
import { Stream } from './stream.js';
import type { Transfers } from './transfers.js';
import { Verification } from './verification.js';

/** Bytes that the hash of a whole blob waits for at a time. */
const HASH_STEP = 1024 * 1024;

/** Attempts at a block of a verified blob whose bytes differ from those verified before. */
const RECHECKS = 2;

/** When bytes are compared with the digest: see the option `verify`. */
export type VerifyMode = 'stream' | 'full' | 'off';

/** What all contents share. */
export interface ContentMeans {
  readonly memory: Memory;
  readonly hashing: Hashing;
  readonly transfers: Transfers;
  readonly readAhead: ReadAhead;
  readonly copies: CopyBuffers;
  /** How blobs are mostly read. */
  readonly verify: VerifyMode;
  /** The cache on the local disk, where there is one. */
  readonly disk?: DiskCache;
  /** What waits to be written there. */
  readonly backlog: Backlog;
}

/** Whom {@link BlobContent} tells what it found out. */
export interface ContentObserver {
  /** The bytes last fetched are wrong. Answers whether another copy may be tried. */
  distrust(content: BlobContent, repository: string): boolean;
  /** A block of a verified blob was fetched again with other bytes. */
  differs(content: BlobContent, repository: string): void;
  /** All bytes are known to be right. */
  verified(content: BlobContent): void;
  /** Wrong bytes were found after some had been delivered, or no other copy was left. */
  poisoned(content: BlobContent, repository: string, reason: string): void;
  /** It has become complete on the local disk. */
  kept(content: BlobContent): void;
  /** Nothing of it is in memory any more. */
  emptied(content: BlobContent): void;
}

/** Who reads, and for whom. */
export interface Reading {
  readonly repository: string;
  readonly generation: number;
  readonly stream: Stream;
  readonly verify: VerifyMode;
}

/**
 * One blob's bytes, shared by every handle and repository of a scope that reads them, with the
 * promise that nobody reads them from start to end unless they hash to the digest.
 */
export class BlobContent implements ExtentOwner, AheadContent {
  readonly scope: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly extents = new ExtentMap();
  readonly #means: ContentMeans;
  readonly #arena: Arena;
  readonly #observer: ContentObserver;
  #verification: Verification;
  #verifying: Promise<boolean | undefined> | undefined;
  /** Raised when wrong bytes were found: handles of earlier generations answer errors only. */
  #generation = 0;
  /** Open handles by generation. */
  readonly #handles = new Map<number, number>();
  /** Handles that are being made. */
  #opening = 0;
  #disk: DiskCopy | undefined;
  #openingDisk: Promise<boolean> | undefined;
  /** Some of the bytes to be verified were left on the disk by an earlier, unverified reading. */
  #hasLeftBytes = false;
  /** What nobody reads any more, and is still being written. */
  #closingDisk: DiskCopy | undefined;

  constructor(
    scope: string,
    { digest, size }: Pick<BlobName, 'digest' | 'size'>,
    means: ContentMeans,
    observer: ContentObserver,
  ) {
    this.scope = scope;
    this.digest = digest;
    this.size = size;
    this.#means = means;
    this.#arena = means.memory.arena;
    this.#observer = observer;
    this.#verification = this.#newVerification();
  }

  /** Name of the content in caches. */
  get id(): string {
    return contentId(this.scope, this);
  }

  get verified(): boolean {
    return this.#verification.verified;
  }

  /** The complete, verified blob on the local disk, while it is open. */
  get onDisk(): CachedBlob | undefined {
    return this.verified ? this.#disk?.complete : undefined;
  }

  get isOpen(): boolean {
    return this.#handles.size > 0;
  }

  /** Whether it is open or being opened, and so must not be forgotten. */
  get isWanted(): boolean {
    return this.isOpen || this.#opening > 0;
  }

  /** Approximate memory of what is remembered, in bytes; without that of {@link Memory}. */
  get weight(): number {
    return this.#verification.weight;
  }

  /** Whether handles are open that were given bytes which turned out wrong. */
  get hasPoisonedHandles(): boolean {
    return [...this.#handles.keys()].some((generation) => generation < this.#generation);
  }

  /**
   * Look on the local disk, for the first handle. Answers whether the whole blob is there: then
   * nobody needs to ask the store for it.
   */
  async openDisk(): Promise<boolean> {
    if (!this.#means.disk) return false;
    if (this.#disk && !this.#openingDisk) return this.#disk.complete !== undefined;
    if (!this.#openingDisk && this.#reopenDisk()) return false;
    this.#openingDisk ??= this.#lookOnDisk(this.#means.disk).finally(() => {
      this.#openingDisk = undefined;
    });
    return this.#openingDisk;
  }

  /** Settles when it is known what the local disk has of the blob, or soon. */
  async diskLooked(): Promise<void> {
    await this.#disk?.looked();
  }

  /** A handle is being made. To be undone by {@link endOpening}. */
  beginOpening(): void {
    this.#opening++;
  }

  /** The handle is made, or is not made after all. */
  endOpening(): void {
    this.#opening--;
    if (!this.isWanted) this.#closeDisk();
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
    const right = this.verified && generation === this.#generation;
    if (this.isOpen) return right;
    for (const extent of this.extents) if (extent.isFilling) extent.stop();
    this.#closeDisk();
    if (!this.#verification.isProven) this.#replaceVerification();
    return right;
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
   * The bytes of `[start, end)`, 0 ≤ start < end ≤ size, withheld until the hash of all is known
   * when they would complete the delivery; with `full` always, with `off` never. They lie in memory
   * that is used again from the event loop's next turn on.
   * @throws BlobError
   */
  async deliver(reading: Reading, start: number, end: number): Promise<Uint8Array> {
    for (;;) {
      this.assertGood(reading.generation);
      const verification = this.#verification;
      const isFirst = reading.verify === 'full' && !verification.verified;
      const bytes = isFirst ? undefined : await this.#gather(reading, start, end);
      this.assertGood(reading.generation);
      if (bytes) {
        // Another reader found wrong bytes before anything was delivered: begin with fresh ones.
        if (verification !== this.#verification) continue;
        if (reading.verify !== 'off') verification.feed(false);
        if (this.#mayGo(verification, reading, start, end)) {
          verification.deliver(start, end);
          return bytes;
        }
      } else if (!isFirst) continue;
      // Nothing is held in the meantime: what verification needs could be what others hold.
      const right = await this.verify(reading.repository);
      if (right === false && verification === this.#verification) this.#reject(reading.repository);
      this.#assertOpen();
    }
  }

  /** @throws BlobError when nobody waits for bytes any more: a reader may leave before its answer */
  #assertOpen(): void {
    if (this.isOpen) return;
    throw new BlobError('unavailable', `${this.digest} was closed while it was read.`);
  }

  /** Bytes that were hashed so far: whether a long hash gets on. */
  get hashed(): number {
    return this.#verification.fed;
  }

  /** The whole blob if it is in memory in one piece and verified; a copy. */
  peek(): Uint8Array | undefined {
    const extent = this.extents.at(0);
    if (!this.verified || extent?.here !== this.size) return undefined;
    return Buffer.copyBytesFrom(this.#arena.view(extent.addressOf(0), this.size));
  }

  /** Have an answered GET fill memory, unless something else does or there is none. */
  begin(repository: string, range: ByteRange, answer: GetResult): void {
    const end = range.offset + range.length;
    const [run] = this.extents.missing(range.offset, end);
    const isFree = run?.start === range.offset && run.end >= end;
    const extent = isFree && this.#means.memory.extent(this, range.offset, end);
    if (extent && this.#means.memory.tryGive(extent)) this.#fill(repository, extent, answer);
    else answer.cancel();
  }

  fetchAhead(repository: string, start: number, end: number, stream: Stream): Extent | undefined {
    const extent = this.#means.memory.extent(this, start, end);
    extent.reader = stream;
    if (!this.#means.memory.tryGive(extent)) return undefined;
    this.#fill(repository, extent);
    return extent;
  }

  /** Fetch what is missing of the first `bytes` bytes, if there is memory that nobody needs. */
  fetchBeginning(repository: string, bytes: number): void {
    const { memory } = this.#means;
    const [run] = this.extents.missing(0, Math.min(this.size, bytes, memory.largest));
    if (!run) return;
    const extent = memory.extent(this, run.start, Math.min(run.end, this.size));
    if (memory.tryGive(extent)) this.#fill(repository, extent);
  }

  /** Forget what was fetched more than `ms` ago. */
  dropOlder(ms: number): void {
    const before = performance.now() - ms;
    for (const extent of [...this.extents]) if (extent.madeAt < before) this.#abandon(extent);
  }

  /** Forget all that is in memory. */
  dropAll(): void {
    for (const extent of [...this.extents]) this.#abandon(extent);
  }

  /**
   * What is in memory next in order is given to the hash as soon as that is free. The kernel reads
   * ahead in several requests, so what comes a little later may have been read already.
   */
  willHash(extent: Extent): boolean {
    const { fed, verified } = this.#verification;
    if (verified || fed === 0 || extent.end <= fed) return false;
    return extent.start <= fed || extent.start < this.extents.comingFrom(fed);
  }

  arrived(): void {
    if (this.#means.verify !== 'off') this.#verification.feed(false);
  }

  evicted(extent: Extent): void {
    if (!this.extents.has(extent)) return;
    if (this.#means.verify !== 'off') this.#verification.evicted(extent);
    this.extents.delete(extent);
    if (this.extents.isEmpty) this.#observer.emptied(this);
  }

  /**
   * Hash what was not hashed yet, and answer whether all bytes hash to the digest. Undefined: begin
   * anew, wrong bytes were found meanwhile or the last handle was closed.
   * @throws BlobError
   */
  verify(repository: string): Promise<boolean | undefined> {
    this.#verifying ??= this.#verify(repository).finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  #mayGo(verification: Verification, reading: Reading, start: number, end: number): boolean {
    if (reading.verify === 'off' || verification.verified) return true;
    return !verification.wouldComplete(start, end);
  }

  async #verify(repository: string): Promise<boolean | undefined> {
    const verification = this.#verification;
    const stream = new Stream(verification.fed, performance.now());
    const generation = this.#generation;
    const reading = { repository, generation, stream, verify: 'stream' as const };
    try {
      for (;;) {
        verification.feed(true);
        if (verification !== this.#verification) return undefined;
        if (verification.isBusy) await verification.progress;
        else if (verification.fed < this.size) await this.#awaitBytes(reading, verification.fed);
        else {
          const right = await verification.matches();
          if (right === undefined) continue;
          if (right) this.#verified(verification);
          return right;
        }
      }
    } finally {
      stream.isOver = true;
      this.#means.readAhead.end(stream);
    }
  }

  #verified(verification: Verification): void {
    this.#observer.verified(this);
    this.#completeDisk(verification);
  }

  #completeDisk(verification: Verification): void {
    this.#disk?.finish((position, bytes) => {
      for (let at = 0; at < bytes.byteLength; at += BLOCK_SIZE) {
        const block = bytes.subarray(at, at + BLOCK_SIZE);
        if (!verification.accepts(blockOf(position + at), block)) return false;
      }
      return true;
    });
  }

  async #lookOnDisk(cache: DiskCache): Promise<boolean> {
    const { backlog } = this.#means;
    const means = { extents: this.extents, arena: this.#arena, backlog };
    const kept = () => this.#observer.kept(this);
    const disk = new DiskCopy(cache, this, { ...means, kept });
    this.#disk = disk;
    const isComplete = await disk.open();
    if (disk !== this.#disk) return false;
    if (!isComplete) {
      disk.openPartial();
    } else if (!this.#verification.isProven) {
      if (this.isOpen) {
        // Its readers were given other bytes, which still have to be shown to be right.
        this.#closeDisk();
        return false;
      }
      this.dropAll();
      this.#replaceVerification();
      this.#verification.trust();
    }
    return isComplete;
  }

  #discardDisk(): void {
    void this.#disk?.discard();
  }

  #closeDisk(): void {
    if (this.#verification.isProven) this.#completeDisk(this.#verification);
    const disk = this.#disk;
    this.#disk = undefined;
    if (!disk) return;
    this.#closingDisk = disk;
    void disk.close().finally(() => {
      if (this.#closingDisk === disk) this.#closingDisk = undefined;
    });
  }

  /** Go on with what is still being written for earlier readers; false if nothing is. */
  #reopenDisk(): boolean {
    const disk = this.#closingDisk;
    if (this.#disk || !disk?.reopen(this.#verification.isProven)) return false;
    this.#closingDisk = undefined;
    this.#disk = disk;
    return true;
  }

  /** Wait until some bytes from `position` on are in memory. */
  async #awaitBytes(reading: Reading, position: number): Promise<void> {
    const end = Math.min(this.size, position + HASH_STEP);
    reading.stream.read(position, end);
    this.#want(reading, position, end);
    const extent = this.extents.at(position);
    if (!extent) return;
    extent.reader ??= reading.stream;
    extent.hold();
    try {
      await extent.wait(Math.min(end, extent.end));
      this.#verification.feed(true);
      if (this.#verification.fed >= extent.end) extent.reader = undefined;
    } finally {
      extent.drop();
    }
    reading.stream.delivered(end - position, performance.now());
  }

  /** The bytes of a range, at once in memory or copied together; undefined: ask again. */
  async #gather(reading: Reading, start: number, end: number): Promise<Uint8Array | undefined> {
    const { largest } = this.#means.memory;
    this.#want(reading, start, Math.min(end, start + largest));
    const only = this.extents.at(start);
    if (only && only.end >= end) {
      return this.#take(reading, only, end, () => {
        this.#means.memory.holdForAnswer(only);
        only.read(end - start);
        return this.#arena.view(only.addressOf(start), end - start);
      });
    }
    const whole = this.#means.copies.take(end - start);
    let isWhole = false;
    try {
      isWhole = await this.#copyTogether(reading, start, whole);
    } finally {
      if (!isWhole) this.#means.copies.giveBack(whole);
    }
    if (!isWhole) return undefined;
    this.#means.copies.giveBackAnswered(whole);
    return whole;
  }

  /** Fill `whole` with the bytes from `start` on; false: ask again. */
  async #copyTogether(reading: Reading, start: number, whole: Uint8Array): Promise<boolean> {
    const { largest } = this.#means.memory;
    const end = start + whole.byteLength;
    for (let at = start; at < end;) {
      this.#want(reading, at, Math.min(end, at + largest));
      const extent = this.extents.at(at);
      if (!extent) return false;
      const from = at;
      const to = Math.min(end, extent.end);
      const taken = await this.#take(reading, extent, to, () => {
        whole.set(this.#arena.view(extent.addressOf(from), to - from), from - start);
        extent.read(to - from);
        return whole;
      });
      if (!taken) return false;
      at = to;
    }
    return true;
  }

  /** Wait for bytes of an extent and use them, while its memory is held. */
  async #take(
    { stream }: Reading,
    extent: Extent,
    until: number,
    use: () => Uint8Array,
  ): Promise<Uint8Array | undefined> {
    extent.reader = stream;
    extent.hold();
    try {
      if ((await extent.wait(until)) === 'gone') return undefined;
      return use();
    } finally {
      extent.drop();
    }
  }

  /** Have what is missing of a range fetched, and what will be wanted next. */
  #want(reading: Reading, start: number, end: number): void {
    this.#means.readAhead.read(reading.stream, this, reading.repository);
    const { largest } = this.#means.memory;
    // Who begins at the start is likely to go on.
    const first = start === 0 ? Math.min(this.size, FIRST_SIZE, largest) : end;
    const to = Math.max(end, first);
    for (const run of this.extents.missing(start, to)) {
      reading.stream.stalled();
      const runEnd = Math.min(run.end, this.size);
      for (let at = run.start; at < runEnd; at += largest) {
        const extent = this.#means.memory.extent(this, at, Math.min(runEnd, at + largest));
        extent.reader = reading.stream;
        this.#fill(reading.repository, extent);
      }
    }
  }

  #fill(repository: string, extent: Extent, answer?: GetResult): void {
    this.extents.add(extent);
    // A failure is for those who wait to see, and for nobody else.
    void this.#transfer(repository, extent, answer).then(
      () => this.#filled(extent),
      (error: unknown) => this.#filled(extent, error),
    );
  }

  async #transfer(repository: string, extent: Extent, answer?: GetResult): Promise<void> {
    if (!extent.piece) await this.#means.memory.give(extent);
    if (!answer && (await this.#readFromDisk(extent))) return;
    let refusals = 0;
    const transfer = {
      name: { repository, digest: this.digest, size: this.size },
      extent,
      memory: ({ offset, length }: ByteRange) => this.#arena.view(extent.addressOf(offset), length),
      admit: (position: number) => this.#admit(extent, position),
      refused: () => this.#refused(repository, extent, refusals++),
    };
    await this.#means.transfers.fill(transfer, extent.stopped, answer);
  }

  /** Fill the extent from the local disk; false: it does not have it, or not the right bytes. */
  async #readFromDisk(extent: Extent): Promise<boolean> {
    const disk = this.#disk;
    if (!disk || extent.isGone) return false;
    const wasComplete = disk.complete !== undefined;
    const target = this.#arena.view(extent.addressOf(extent.start), extent.end - extent.start);
    extent.isFromDisk = await disk.read(target, extent.start);
    if (extent.isFromDisk && this.#admit(extent, extent.end)) {
      this.#hasLeftBytes ||= !wasComplete;
      extent.keep();
      disk.vouch(extent.start, extent.here);
      return true;
    }
    if (wasComplete) this.#distrustDisk(disk);
    else if (extent.isFromDisk) this.#discardDisk();
    extent.isFromDisk = false;
    return false;
  }

  /** From now on bytes come from the store, and have to be verified. */
  #distrustDisk(disk: DiskCopy): void {
    disk.dropComplete();
    if (disk !== this.#disk || this.#verification.isProven || !this.verified) return;
    const earlier = this.#verification;
    this.#replaceVerification();
    this.#verification.continue(earlier);
  }

  #filled(extent: Extent, error?: unknown): void {
    this.extents.cut(extent);
    if (!extent.isFromDisk && !extent.isGone) this.#disk?.arrived(extent);
    extent.filled(error);
    this.arrived();
    this.#means.readAhead.fetched(extent);
  }

  /** Take note of bytes that came; false when they are not those that were delivered before. */
  #admit(extent: Extent, position: number): boolean {
    if (extent.isGone) return true;
    const to = wholeBlocks(Math.min(position, extent.end), this.size);
    for (let at = extent.here; at < to; at += BLOCK_SIZE) {
      const block = this.#arena.view(extent.addressOf(at), Math.min(BLOCK_SIZE, to - at));
      if (this.#verification.accepts(blockOf(at), block)) continue;
      extent.arrive(at);
      return false;
    }
    extent.arrive(to);
    return true;
  }

  /** A block came with other bytes than before; answers whether to fetch it once more. */
  #refused(repository: string, extent: Extent, refusals: number): boolean {
    if (extent.isGone) return false;
    if (!this.verified) {
      this.#reject(repository);
      return false;
    }
    this.#observer.differs(this, repository);
    if (refusals < RECHECKS) return true;
    throw new BlobError('mismatch', `The store no longer has the bytes of ${this.digest}.`);
  }

  /**
   * The bytes are wrong. When no reader has any of them yet, another copy may be tried, and the same
   * one when the wrong ones may be those that the disk had; else every handle that may have given
   * some away is poisoned.
   */
  #reject(repository: string): void {
    const delivered = this.#verification.anythingDelivered;
    const another = this.#hasLeftBytes || this.#observer.distrust(this, repository);
    this.#replaceVerification();
    this.dropAll();
    this.#discardDisk();
    if (!delivered && another) return;
    this.#generation++;
    this.#observer.poisoned(this, repository, delivered ? 'partly delivered' : 'not delivered');
  }

  #abandon(extent: Extent): void {
    this.extents.delete(extent);
    extent.abandon();
    if (this.extents.isEmpty) this.#observer.emptied(this);
  }

  #replaceVerification(): void {
    this.#hasLeftBytes = false;
    this.#verification.end();
    this.#verification = this.#newVerification();
  }

  #newVerification(): Verification {
    return new Verification(this, this.extents, this.#means.hashing, this.#arena);
  }
}

/** Name of a content in caches. */
export function contentId(scope: string, name: Pick<BlobName, 'digest' | 'size'>): string {
  return `${scope}|${name.digest}|${name.size}`;
}
