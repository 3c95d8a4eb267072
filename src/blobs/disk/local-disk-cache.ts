import { rename } from 'node:fs/promises';
import type { Counters } from '../../observe/counters.js';
import type { Log } from '../../observe/log.js';
import { type Digest, digestParts } from '../../oci/digest.js';
import { isHashSupported } from '../../oci/hash.js';
import { withinDeadline } from '../deadline.js';
import type { CachedBlob, ContentName, DiskCache, PartialBlob } from '../disk-cache.js';
import { claimPartial } from './claim.js';
import { CompleteBlobs } from './complete-blobs.js';
import { CacheDirectory, syncDirectory } from './directory.js';
import { HasherThread } from './hasher-thread.js';
import { OpenPartial } from './open-partial.js';
import { newOwner, RENEWAL_MS, retireOwner } from './owner.js';
import { blobPath, partialPath, recordPath } from './paths.js';
import { isTrusted, lstatIfPresent } from './plain-file.js';
import { writeRecord } from './record.js';
import { Space } from './space.js';
import { Trouble } from './trouble.js';

export interface DiskCacheOptions {
  /** Made where it does not exist. */
  readonly directory: string;
  /** Bytes that the cache may take on its disk. */
  readonly maxBytes: number;
  /** Bytes that it leaves free there. */
  readonly minFreeBytes: number;
  /** Bytes in a part of a partial blob; default 1 MiB. */
  readonly partSize?: number;
  /** How long nothing is written after the disk refused, in ms; default 15 s. */
  readonly pauseMs?: number;
  readonly log: Log;
  readonly counters: Counters;
}

/** What `status` tells about a cache. */
export interface DiskCacheStatus {
  readonly directory: string;
  /** Bytes in it; absent until it was looked through. */
  readonly bytes?: number;
  readonly maxBytes: number;
  /** Complete blobs that this process has open. */
  readonly openBlobs: number;
  /** Partial blobs that this process writes. */
  readonly openPartials: number;
  /** Why nothing is written at the moment, when nothing is. */
  readonly trouble?: string;
}

/** Bytes in a part: what a reader that stops loses at most, and the reader after it fetches again. */
const PART_SIZE = 1024 * 1024;

/** How long nothing is written after the disk refused, in ms. */
const PAUSE_MS = 15_000;

/** How long looking a blob up may take, in ms: then it is a miss, and a hash under way goes on. */
const LOOKUP_MS = 5000;

/**
 * Open the cache in a directory. Takes no longer when there is more in it: what there is is found
 * out in the background.
 * @throws CacheDirectoryError when the directory is unsafe or no cache can be made there
 */
export async function openDiskCache(options: DiskCacheOptions): Promise<LocalDiskCache> {
  const directory = await CacheDirectory.open(options.directory, { create: true });
  return new LocalDiskCache(directory, options);
}

/** Blobs in a directory that other processes use at the same time: {@link DiskCache}. */
export class LocalDiskCache implements DiskCache {
  readonly #directory: CacheDirectory;
  readonly #options: DiskCacheOptions;
  readonly #trouble: Trouble;
  readonly #space: Space;
  readonly #complete: CompleteBlobs;
  readonly #hasher = new HasherThread();
  readonly #owner = newOwner();
  readonly #partials = new Map<string, OpenPartial | undefined>();
  readonly #renewal: NodeJS.Timeout;
  #isClosed = false;

  /** @param directory of {@link openDiskCache}, which makes these */
  constructor(directory: CacheDirectory, options: DiskCacheOptions) {
    const { counters, log, pauseMs = PAUSE_MS } = options;
    this.#directory = directory;
    this.#options = options;
    this.#trouble = new Trouble({ directory: directory.path, pauseMs, log, counters });
    this.#complete = new CompleteBlobs({
      root: directory.path,
      hasher: this.#hasher,
      trouble: this.#trouble,
      counters,
      log,
    });
    this.#space = new Space({
      ...options,
      root: directory.path,
      isOpen: (digest) => this.#complete.isOpen(digest),
      trouble: this.#trouble,
    });
    this.#renewal = setInterval(() => this.#renew(), RENEWAL_MS).unref();
    this.#space.look().catch((error: unknown) => {
      if (!this.#isClosed) this.#trouble.readFailed(error);
    });
  }

  async open(name: ContentName): Promise<CachedBlob | undefined> {
    const blob = this.#isClosed ? undefined : await this.#lookUp(name);
    this.#options.counters.increment(blob === undefined ? 'cache.miss' : 'cache.hit');
    return blob;
  }

  async openPartial(name: ContentName): Promise<PartialBlob | undefined> {
    const { digest, size } = name;
    const key = `${digest}|${size}`;
    const last = this.#partials.get(key);
    if (await last?.reopen()) {
      if (!this.#isClosed) return last;
      await last?.close();
    }
    if (this.#isClosed || !this.#trouble.mayWrite || this.#partials.has(key)) return undefined;
    if (size > this.#options.maxBytes || !isHashSupported(digestParts(digest).algorithm)) {
      return undefined;
    }
    // Claimed before the first await: one at a time.
    this.#partials.set(key, undefined);
    try {
      const partial = await this.#claim(name, () => this.#partials.delete(key));
      if (partial === undefined) this.#partials.delete(key);
      else this.#partials.set(key, partial);
      if (!this.#closed()) return partial;
      await partial?.close();
      return undefined;
    } catch (error) {
      this.#partials.delete(key);
      this.#trouble.writeFailed(error);
      return undefined;
    }
  }

  /** What there is and how it is going; no disk access. */
  status(): DiskCacheStatus {
    const bytes = this.#space.usedBytes;
    const { reason } = this.#trouble;
    return {
      directory: this.#directory.path,
      ...(bytes !== undefined && { bytes }),
      maxBytes: this.#options.maxBytes,
      openBlobs: this.#complete.size,
      openPartials: this.#partials.size,
      ...(reason !== undefined && { trouble: reason }),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#renewal);
    this.#space.close();
    this.#complete.close();
    const partials = [...this.#partials.values()].filter((partial) => partial !== undefined);
    await Promise.all(partials.map((partial) => partial.close()));
    retireOwner(this.#owner);
    await this.#hasher.close();
  }

  /** Also after an await, where the compiler thinks it knows. */
  #closed(): boolean {
    return this.#isClosed;
  }

  async #lookUp({ digest, size }: ContentName): Promise<CachedBlob | undefined> {
    const looking = this.#complete.open(digest, size);
    try {
      return await withinDeadline(looking, LOOKUP_MS, `Looking ${digest} up in the cache`);
    } catch {
      // A slow disk, or a large blob that is hashed again.
      void looking.then(
        (blob) => blob?.close(),
        () => undefined,
      );
      return undefined;
    }
  }

  async #claim(name: ContentName, closed: () => void): Promise<OpenPartial | undefined> {
    const { counters, partSize = PART_SIZE } = this.#options;
    const root = this.#directory.path;
    if (await this.#isThere(name.digest)) return undefined;
    const claim = await claimPartial({
      directory: this.#directory,
      name,
      partSize,
      owner: this.#owner,
      hasher: this.#hasher,
    });
    if (claim === undefined) return undefined;
    if (claim.resumed) counters.increment('cache.resumed');
    return new OpenPartial({
      name,
      file: claim.file,
      path: claim.path,
      freePath: partialPath(root, name),
      space: this.#space,
      trouble: this.#trouble,
      counters,
      publish: (partial) => this.#publish(partial),
      closed,
    });
  }

  /** Whether a complete blob is in the way: it is right, or being looked at. */
  async #isThere(digest: Digest): Promise<boolean> {
    const found = await lstatIfPresent(blobPath(this.#directory.path, digest));
    return found?.isFile() === true && isTrusted(found);
  }

  /**
   * The bytes are on the disk for good before the file gets the blob's name, and the name is there
   * for good before it is recorded that its bytes are right.
   */
  async #publish({ name, file, path }: OpenPartial): Promise<CachedBlob | undefined> {
    const { digest } = name;
    const root = this.#directory.path;
    const shard = await this.#directory.makeShard('blobs', digest);
    await this.#directory.makeShard('records', digest);
    await file.finish();
    await rename(path, blobPath(root, digest));
    await syncDirectory(shard);
    // After the rename, which changes the ctime.
    await writeRecord(recordPath(root, digest), await file.fingerprint());
    // Another process may have thrown it out by now.
    return this.#complete.open(digest, name.size);
  }

  #renew(): void {
    this.#complete.renew();
    for (const partial of this.#partials.values()) partial?.renew();
  }
}
