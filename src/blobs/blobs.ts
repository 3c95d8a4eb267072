import { LRUCache } from 'lru-cache';
import type { Counters } from '../observe/counters.js';
import { blobMismatch } from '../observe/events.js';
import type { Log } from '../observe/log.js';
import { type Digest, digestParts } from '../oci/digest.js';
import { isEmptyDigest } from '../oci/empty.js';
import { isHashSupported } from '../oci/hash.js';
import type { Registry } from '../registry/registry.js';
import { Absences } from './absences.js';
import { Backlog } from './backlog.js';
import {
  BlobContent,
  contentId,
  type ContentMeans,
  type ContentObserver,
  type VerifyMode,
} from './content.js';
import { CopyBuffers } from './copy-buffers.js';
import { withinDeadline } from './deadline.js';
import type { DiskCache } from './disk-cache.js';
import { BlobError, isBlobError } from './errors.js';
import { ExpectedBlobs } from './expected-blobs.js';
import { BlobFinder, type BlobName } from './finder.js';
import { FIRST_SIZE } from './grid.js';
import { Hashing } from './hashing.js';
import { Memory } from './memory.js';
import { OpenBlob } from './open-blob.js';
import { ReadAhead } from './read-ahead.js';
import { Transfers } from './transfers.js';

export interface BlobsOptions {
  readonly registry: Registry;
  /** Budget for the bytes of blobs in memory, in bytes. */
  readonly memoryBytes: number;
  /**
   * How long a found absence is believed without asking, and how long bytes of a blob that was
   * never verified are kept for the next reader, in ms.
   */
  readonly refreshMs: number;
  /** Longest wait of one open or read, in ms. */
  readonly deadlineMs: number;
  /** When bytes are compared with their digest; default `stream`. */
  readonly verify?: VerifyMode;
  /** Blobs on the local disk; without it nothing outlives the process. */
  readonly disk?: DiskCache | undefined;
  readonly log: Log;
  readonly counters: Counters;
}

/** Whom {@link Blobs} tells what nobody asked for. Its methods must not throw. */
export interface BlobsWatcher {
  /** Some bytes of a blob are wrong; told before anybody may open it again. */
  wrong(name: BlobName): void;
  /** A blob has become complete in the disk cache. */
  kept(blob: Pick<BlobContent, 'scope' | 'digest' | 'size'>): void;
}

/** What is known of the blocks of verified blobs that nobody has open, in bytes of memory. */
const VERIFIED_MEMORY = 16 * 1024 * 1024;

/** What part of the memory may wait to be written to the disk. */
const BACKLOG_SHARE = 1 / 4;

/** Reads blobs: found in the store, fetched by ranges, shared in memory, verified. */
export class Blobs implements ContentObserver {
  readonly #registry: Registry;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #deadlineMs: number;
  readonly #refreshMs: number;
  readonly #finder: BlobFinder;
  readonly #means: ContentMeans;
  readonly #absences: Absences;
  /** Those that are open, verified, or have bytes in memory. */
  readonly #contents = new Map<string, BlobContent>();
  readonly #verified: LRUCache<string, BlobContent>;
  readonly #finding = new Map<string, Promise<void>>();
  readonly #expected = new ExpectedBlobs();
  #watcher: BlobsWatcher | undefined;

  constructor(options: BlobsOptions) {
    this.#registry = options.registry;
    this.#log = options.log;
    this.#counters = options.counters;
    this.#deadlineMs = options.deadlineMs;
    this.#refreshMs = options.refreshMs;
    this.#finder = new BlobFinder(options);
    this.#absences = new Absences(options);
    const memory = new Memory(options.memoryBytes);
    const readAhead = new ReadAhead(memory);
    memory.freed = () => readAhead.goOn();
    memory.pressed = () => readAhead.yield();
    this.#means = {
      memory,
      readAhead,
      copies: new CopyBuffers(),
      hashing: new Hashing(memory.arena, options.log),
      transfers: new Transfers(this.#finder, options.deadlineMs),
      verify: options.verify ?? 'stream',
      backlog: new Backlog(memory.arena.size * BACKLOG_SHARE),
      ...(options.disk && { disk: options.disk }),
    };
    this.#verified = new LRUCache({
      maxSize: VERIFIED_MEMORY,
      sizeCalculation: (content) => content.weight,
      dispose: (content, _id, reason) => {
        if (reason === 'evict') this.#forgetVerified(content);
      },
    });
  }

  /** Bytes in memory that are still to be written to the disk cache. */
  get unwrittenBytes(): number {
    return this.#means.backlog.bytes;
  }

  /** Tell one watcher of what happens to blobs. */
  watch(watcher: BlobsWatcher): void {
    this.#watcher = watcher;
  }

  /**
   * Open a blob. When it is not known to be present, its first ranged GET is sent and its headers
   * are awaited, so that absence is known now and not at the first read.
   * @throws BlobError
   */
  async open(
    name: BlobName,
    options: { foreign?: boolean; verify?: VerifyMode; endInSight?: () => void } = {},
  ): Promise<OpenBlob> {
    this.#counters.increment('blobs.open');
    this.#assertReadable(name);
    const content = this.#content(name);
    content.beginOpening();
    try {
      this.#forgetUnproven(content);
      const isHere = name.size === 0 || (await content.openDisk());
      if (!isHere) {
        await this.#ensurePresent(name, content, options.foreign ?? false);
        // Meanwhile the last reader may have left, and closed what we looked at.
        await content.openDisk();
        await content.diskLooked();
      }
      assertNotPoisoned(content);
      const { verify = this.#means.verify, endInSight } = options;
      return this.#opened(content, name.repository, verify, endInSight);
    } finally {
      content.endOpening();
      this.#closed(content);
    }
  }

  /**
   * The whole blob, verified. Meant for documents.
   * @throws BlobError
   */
  async readAll(name: BlobName): Promise<Uint8Array> {
    const blob = await this.open(name, { verify: 'stream' });
    try {
      return Buffer.copyBytesFrom(await blob.read(0, name.size));
    } finally {
      blob.close();
    }
  }

  /**
   * Fetch the first `bytes` bytes of a blob that somebody will probably open soon, if there is memory
   * that no reader needs. Whoever opens it learns what is wrong with it.
   */
  expect(name: BlobName, bytes: number): void {
    if (this.#known(name)?.isWanted === true) return;
    this.#prepare(name, bytes).catch(() => undefined);
  }

  /** The whole blob if it is small, in memory and verified; no request. */
  peek(name: BlobName): Uint8Array | undefined {
    return this.#known(name)?.peek();
  }

  /** Whether a directory should leave the blob out: it was found absent. No request. */
  isKnownAbsent(name: BlobName): boolean {
    if (!this.#absences.isKnown(name)) return false;
    // Somebody has read it through another repository since, so it is there.
    if (this.#known(name)?.verified !== true) return true;
    this.#absences.remove(name);
    return false;
  }

  /** Lost blobs found so far. */
  lost(): BlobName[] {
    return this.#absences.list();
  }

  /** The stored length of a blob about which descriptors disagree, if anything is stored. */
  storedSize(repository: string, digest: Digest): Promise<number | undefined> {
    return withinDeadline(
      this.#finder.storedSize({ repository, digest }),
      this.#deadlineMs,
      `Finding the size of ${digest}`,
    );
  }

  /** Bytes of blobs in memory. */
  get memoryBytes(): number {
    return this.#means.memory.used;
  }

  /** End the threads that hash. Nobody may have anything open any more. */
  async close(): Promise<void> {
    this.#expected.close();
    await this.#means.hashing.close();
  }

  distrust(content: BlobContent, repository: string): boolean {
    const name = nameOf(content, repository);
    const found = this.#finder.known(name);
    return found !== undefined && this.#finder.distrust(name, found);
  }

  differs(content: BlobContent, repository: string): void {
    const name = nameOf(content, repository);
    this.#reportMismatch(name, 'A range fetched again differs from the verified one.');
    this.distrust(content, repository);
  }

  verified(): void {
    this.#counters.increment('blobs.verified');
  }

  poisoned(content: BlobContent, repository: string, reason: string): void {
    this.#expected.drop(content);
    const name = nameOf(content, repository);
    this.#watcher?.wrong(name);
    this.#reportMismatch(
      name,
      `The stored bytes do not hash to the blob's name (${reason}); its readers get an I/O error.`,
    );
  }

  kept(content: BlobContent): void {
    this.#watcher?.kept(content);
  }

  emptied(content: BlobContent): void {
    if (content.isWanted || content.verified || !content.extents.isEmpty) return;
    if (this.#contents.get(content.id) === content) this.#contents.delete(content.id);
  }

  /** @throws BlobError when no bytes could ever be right, or be shown to be */
  #assertReadable(name: BlobName): void {
    const { algorithm } = digestParts(name.digest);
    if (!isHashSupported(algorithm)) {
      throw new BlobError(
        'unsupported',
        `Blobs of the algorithm ${algorithm} cannot be verified, so ${name.digest} is not served.`,
      );
    }
    if ((name.size === 0) !== isEmptyDigest(name.digest)) {
      throw new BlobError('wrong-size', `${name.digest} cannot be ${name.size} bytes long.`);
    }
  }

  /** What partial readers left of a bad blob would be in the next one's way, once it has healed. */
  #forgetUnproven(content: BlobContent): void {
    assertNotPoisoned(content);
    if (!content.isOpen && !content.verified) content.dropOlder(this.#refreshMs);
  }

  async #ensurePresent(name: BlobName, content: BlobContent, foreign: boolean): Promise<void> {
    if (this.#finder.known(name)) return;
    if (this.#absences.isFresh(name)) {
      throw new BlobError('absent', `${name.digest} was found absent a moment ago.`);
    }
    const key = `${name.repository}|${name.digest}|${name.size}`;
    let finding = this.#finding.get(key);
    if (!finding) {
      finding = this.#find(name, foreign).finally(() => this.#finding.delete(key));
      finding.catch(() => undefined);
      this.#finding.set(key, finding);
    }
    await withinDeadline(finding, this.#deadlineMs, `Opening ${content.digest}`);
  }

  /** Find the blob by its first ranged GET, and keep the bytes that the GET brings. */
  async #find(name: BlobName, foreign: boolean): Promise<void> {
    const first = Math.min(name.size, FIRST_SIZE, this.#means.memory.largest);
    const range = { offset: 0, length: first };
    try {
      const { answer } = await this.#finder.find(name, range);
      this.#absences.remove(name);
      this.#content(name).begin(name.repository, range, answer);
    } catch (error) {
      if (isBlobError(error, 'absent')) this.#absences.add(name, foreign, error.message);
      throw error;
    }
  }

  async #prepare(name: BlobName, bytes: number): Promise<void> {
    if (name.size <= FIRST_SIZE) {
      // All of it comes with the open, and is worth being verified and kept.
      await this.readAll(name);
      return;
    }
    const blob = await this.open(name);
    const content = this.#content(name);
    if (this.#expected.keep(content, blob)) content.fetchBeginning(name.repository, bytes);
  }

  #known(name: BlobName): BlobContent | undefined {
    return this.#contents.get(contentId(this.#registry.scope(name.repository), name));
  }

  #content(name: BlobName): BlobContent {
    const known = this.#known(name);
    if (known) return known;
    const scope = this.#registry.scope(name.repository);
    const content = new BlobContent(scope, name, this.#means, this);
    this.#contents.set(content.id, content);
    return content;
  }

  #opened(
    content: BlobContent,
    repository: string,
    verify: VerifyMode,
    endInSight: (() => void) | undefined,
  ): OpenBlob {
    this.#verified.delete(content.id);
    const opened = new OpenBlob(content, repository, {
      deadlineMs: this.#deadlineMs,
      verify,
      endInSight,
      streamEnded: (stream) => this.#means.readAhead.end(stream),
      closed: () => this.#closed(content),
    });
    this.#expected.drop(content);
    return opened;
  }

  /** Keep what is known of a blob that nobody has open, or forget it. */
  #closed(content: BlobContent): void {
    if (content.isWanted) return;
    if (content.verified) this.#verified.set(content.id, content);
    else this.emptied(content);
    // One that is too large for the cache is not entered.
    if (content.verified && !this.#verified.has(content.id)) this.#forgetVerified(content);
  }

  #forgetVerified(content: BlobContent): void {
    if (content.isWanted) return;
    content.dropAll();
    this.#contents.delete(content.id);
  }

  #reportMismatch(name: BlobName, message: string): void {
    this.#counters.increment('blobs.mismatch');
    this.#log.error({ ...name }, message);
    blobMismatch.publish({ ...name });
  }
}

/** @throws BlobError `mismatch` */
function assertNotPoisoned(content: BlobContent): void {
  if (!content.hasPoisonedHandles) return;
  throw new BlobError(
    'mismatch',
    `The stored bytes of ${content.digest} do not hash to it, and readers still have it open.`,
  );
}

function nameOf({ digest, size }: BlobContent, repository: string): BlobName {
  return { repository, digest, size };
}
