import { LRUCache } from 'lru-cache';
import type { Counters } from '../observe/counters.js';
import { blobMismatch } from '../observe/events.js';
import type { Log } from '../observe/log.js';
import { type Digest, digestParts } from '../oci/digest.js';
import { isEmptyDigest } from '../oci/empty.js';
import { isHashSupported } from '../oci/hash.js';
import type { Registry } from '../registry/registry.js';
import { Absences } from './absences.js';
import { BlobContent, type ContentSource } from './content.js';
import { withinDeadline } from './deadline.js';
import { BlobError, isBlobError } from './errors.js';
import { PartFetcher } from './fetcher.js';
import { BlobFinder, type BlobName } from './finder.js';
import { OpenBlob } from './open-blob.js';
import { PartCache } from './part-cache.js';
import { PART_SIZE, partCount, partRange } from './parts.js';

export interface BlobsOptions {
  readonly registry: Registry;
  /** Budget for parts in memory, in bytes. */
  readonly memoryBytes: number;
  /**
   * How long a found absence is believed without asking, and how long parts of a blob that was
   * never verified are kept for the next reader, in ms.
   */
  readonly refreshMs: number;
  /** Longest wait of one open or read, in ms. */
  readonly deadlineMs: number;
  readonly log: Log;
  readonly counters: Counters;
}

/** Part hashes of verified blobs that nobody has open, in bytes of memory. */
const VERIFIED_MEMORY = 16 * 1024 * 1024;

/** Below this budget, in bytes, nothing is read ahead. */
const READ_AHEAD_MEMORY = 4 * PART_SIZE;

/** Attempts at a part of a verified blob whose bytes differ from those verified before. */
const RECHECKS = 2;

/** Reads blobs: found in the store, fetched in parts, shared in memory, verified. */
export class Blobs implements ContentSource {
  readonly #registry: Registry;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #deadlineMs: number;
  readonly #refreshMs: number;
  readonly #memoryBytes: number;
  readonly #finder: BlobFinder;
  readonly #fetcher: PartFetcher;
  readonly #cache: PartCache;
  readonly #absences: Absences;
  readonly #open = new Map<string, BlobContent>();
  readonly #verified = new LRUCache<string, BlobContent>({
    maxSize: VERIFIED_MEMORY,
    sizeCalculation: (content) => content.weight,
  });
  readonly #finding = new Map<string, Promise<void>>();

  constructor(options: BlobsOptions) {
    this.#registry = options.registry;
    this.#log = options.log;
    this.#counters = options.counters;
    this.#deadlineMs = options.deadlineMs;
    this.#refreshMs = options.refreshMs;
    this.#memoryBytes = options.memoryBytes;
    this.#finder = new BlobFinder(options);
    this.#fetcher = new PartFetcher(this.#finder);
    this.#cache = new PartCache(options.memoryBytes);
    this.#absences = new Absences(options);
  }

  /**
   * Open a blob. When it is not known to be present, its first ranged GET is sent and its headers
   * are awaited, so that absence is known now and not at the first read.
   * @throws BlobError
   */
  async open(name: BlobName, options: { foreign?: boolean } = {}): Promise<OpenBlob> {
    this.#counters.increment('blobs.open');
    this.#assertReadable(name);
    this.#forgetUnproven(this.#content(name));
    if (name.size > 0) await this.#ensurePresent(name, options.foreign ?? false);
    // Only now: whoever opened it meanwhile must share one record of what was delivered.
    const content = this.#content(name);
    assertNotPoisoned(content);
    this.#open.set(content.id, content);
    return new OpenBlob(content, name.repository, {
      deadlineMs: this.#deadlineMs,
      prefetch: (index) => this.#prefetch(content, name.repository, index),
      closed: () => this.#closed(content),
    });
  }

  /**
   * The whole blob, verified. Meant for documents.
   * @throws BlobError
   */
  async readAll(name: BlobName): Promise<Uint8Array> {
    const blob = await this.open(name);
    try {
      return await blob.read(0, name.size);
    } finally {
      blob.close();
    }
  }

  /** The whole blob if it is small, in memory and verified; no request. */
  peek(name: BlobName): Uint8Array | undefined {
    if (partCount(name.size) !== 1) return undefined;
    const id = contentId(this.#registry.scope(name.repository), name);
    const content = this.#open.get(id) ?? this.#verified.get(id);
    return content?.verified ? this.#cache.peek(id, 0) : undefined;
  }

  /** Whether a directory should leave the blob out: it was found absent. No request. */
  isKnownAbsent(name: BlobName): boolean {
    if (!this.#absences.isKnown(name)) return false;
    const id = contentId(this.#registry.scope(name.repository), name);
    // Somebody has read it through another repository since, so it is there.
    if ((this.#open.get(id) ?? this.#verified.get(id))?.verified !== true) return true;
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

  /** Bytes of parts in memory. */
  get memoryBytes(): number {
    return this.#cache.bytes;
  }

  async part(content: BlobContent, repository: string, index: number): Promise<Uint8Array> {
    const name = { repository, digest: content.digest, size: content.size };
    for (let attempt = 0; ; attempt++) {
      const bytes = await this.#cache.get(content.id, index, () =>
        this.#fetcher.fetch(name, index),
      );
      if (content.accepts(index, bytes)) return bytes;
      this.#cache.drop(content.id, index);
      this.#reportMismatch(name, 'A part fetched again differs from the verified one.');
      const found = this.#finder.known(name);
      if (found) this.#finder.distrust(name, found);
      if (attempt === RECHECKS) {
        throw new BlobError('mismatch', `The store no longer has the bytes of ${name.digest}.`);
      }
    }
  }

  distrust(content: BlobContent, repository: string): boolean {
    const name = { repository, digest: content.digest, size: content.size };
    const found = this.#finder.known(name);
    const worthTrying = found !== undefined && this.#finder.distrust(name, found);
    this.#cache.dropAll(content.id, partCount(content.size));
    return worthTrying;
  }

  verified(): void {
    this.#counters.increment('blobs.verified');
  }

  poisoned(content: BlobContent, repository: string, reason: string): void {
    this.#reportMismatch(
      { repository, digest: content.digest, size: content.size },
      `The stored bytes do not hash to the blob's name (${reason}); its readers get an I/O error.`,
    );
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
    if (content.isOpen || content.verified) return;
    this.#cache.dropOlder(content.id, partCount(content.size), this.#refreshMs);
  }

  async #ensurePresent(name: BlobName, foreign: boolean): Promise<void> {
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
    await withinDeadline(finding, this.#deadlineMs, `Opening ${name.digest}`);
  }

  /** Find the blob by its first ranged GET, and keep the bytes that the GET brings. */
  async #find(name: BlobName, foreign: boolean): Promise<void> {
    const id = contentId(this.#registry.scope(name.repository), name);
    try {
      const { answer } = await this.#finder.find(name, partRange(0, name.size));
      this.#absences.remove(name);
      if (this.#cache.peek(id, 0)) answer.cancel();
      else void this.#cache.start(id, 0, this.#fetcher.finish(name, 0, answer));
    } catch (error) {
      if (isBlobError(error, 'absent')) this.#absences.add(name, foreign, error.message);
      throw error;
    }
  }

  #content(name: BlobName): BlobContent {
    const scope = this.#registry.scope(name.repository);
    const id = contentId(scope, name);
    return (
      this.#open.get(id) ??
      this.#verified.get(id) ??
      new BlobContent(scope, name.digest, name.size, this)
    );
  }

  /** Fetch a part ahead of its reader, unless it would push out the one that is being read. */
  #prefetch(content: BlobContent, repository: string, index: number): void {
    if (this.#memoryBytes < READ_AHEAD_MEMORY) return;
    void this.part(content, repository, index).catch(() => undefined);
  }

  #closed(content: BlobContent): void {
    if (content.isOpen) return;
    this.#open.delete(content.id);
    if (content.verified) this.#verified.set(content.id, content);
    else this.#verified.delete(content.id);
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

function contentId(scope: string, name: Pick<BlobName, 'digest' | 'size'>): string {
  return `${scope}|${name.digest}|${name.size}`;
}
