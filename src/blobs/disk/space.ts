import { statfs } from 'node:fs/promises';
import type { Counters } from '../../observe/counters.js';
import type { Digest } from '../../oci/digest.js';
import { evict } from './evict.js';
import { type CacheEntry, scanCache } from './scan.js';
import type { Trouble } from './trouble.js';

/** How often other processes' work is looked at, in ms. */
const RESCAN_MS = 300_000;

/** Part of the budget that one process writes before it looks at what others wrote. */
const RESCAN_SHARE = 1 / 16;

/** Part of the budget that is freed beyond what is needed, so that not every write evicts. */
const HEADROOM_SHARE = 1 / 20;

/** How long the free space of the disk is believed, in ms. */
const FREE_MS = 1000;

export interface SpaceOptions {
  readonly root: string;
  /** Bytes that the cache may take. */
  readonly maxBytes: number;
  /** Bytes of its disk that it leaves free. */
  readonly minFreeBytes: number;
  /** Whether this process has a blob open. */
  readonly isOpen: (digest: Digest) => boolean;
  readonly trouble: Trouble;
  readonly counters: Counters;
}

/**
 * Room in the cache. How much is used is found out in the background, when the cache is opened and
 * now and then, because others use the directory too: it may be exceeded for a while, by a sixteenth
 * for each process that writes. What is left free on the disk is looked at every second.
 */
export class Space {
  readonly #options: SpaceOptions;
  /** Bytes in the cache as far as is known; undefined before the first scan. */
  #used: number | undefined;
  /** Bytes that this process added since the last scan. */
  #added = 0;
  #scannedAt = -Infinity;
  #free = { bytes: 0, at: -Infinity };
  #making: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(options: SpaceOptions) {
    this.#options = options;
  }

  /** Bytes in the cache; undefined while nobody knows. */
  get usedBytes(): number | undefined {
    return this.#used === undefined ? undefined : Math.max(0, this.#used + this.#added);
  }

  /** Find out what there is, and throw out what is too much. */
  async look(): Promise<void> {
    await this.#make(0);
  }

  /**
   * Take room for `bytes`, throwing out what was used longest ago where that is needed.
   * @returns false when there is none
   * @throws system errors
   */
  async reserve(bytes: number): Promise<boolean> {
    if (bytes > this.#options.maxBytes) return false;
    this.#lookAgain();
    for (let attempt = 0; await this.#isTight(bytes); attempt++) {
      // The first may have been under way already, for somebody who needed less.
      if (attempt === 2) return false;
      await this.#make(bytes);
    }
    this.#added += bytes;
    this.#free.bytes -= bytes;
    return true;
  }

  /** Bytes that were reserved are free again. */
  release(bytes: number): void {
    this.#added -= bytes;
    this.#free.bytes += bytes;
  }

  close(): void {
    this.#closing.abort();
  }

  /** In the background: a write does not wait for it while there seems to be room. */
  #lookAgain(): void {
    const { maxBytes, trouble } = this.#options;
    const old = performance.now() - this.#scannedAt > RESCAN_MS;
    if (!old && this.#added <= maxBytes * RESCAN_SHARE) return;
    this.look().catch((error: unknown) => {
      if (!this.#closing.signal.aborted) trouble.readFailed(error);
    });
  }

  async #isTight(bytes: number): Promise<boolean> {
    const { root, maxBytes, minFreeBytes } = this.#options;
    const now = performance.now();
    if ((this.#used ?? 0) + this.#added + bytes > maxBytes) return true;
    if (now - this.#free.at > FREE_MS) {
      const { bavail, bsize } = await statfs(root);
      this.#free = { bytes: bavail * bsize, at: now };
    }
    return this.#free.bytes - bytes < minFreeBytes;
  }

  /** Scan, and evict for `bytes` more; one at a time. */
  #make(bytes: number): Promise<void> {
    this.#making ??= this.#scanAndEvict(bytes).finally(() => (this.#making = undefined));
    return this.#making;
  }

  async #scanAndEvict(bytes: number): Promise<void> {
    const { root, maxBytes, minFreeBytes, isOpen, counters } = this.#options;
    const addedBefore = this.#added;
    const entries: CacheEntry[] = [];
    for await (const entry of scanCache(root, this.#closing.signal)) entries.push(entry);
    this.#used = entries.reduce((sum, { diskBytes }) => sum + diskBytes, 0);
    this.#added -= addedBefore;
    this.#scannedAt = performance.now();
    const { bavail, bsize } = await statfs(root);
    const over = Math.max(
      this.#used + this.#added + bytes - maxBytes,
      minFreeBytes + bytes - bavail * bsize,
    );
    if (over > 0) {
      const wanted = over + Math.floor(maxBytes * HEADROOM_SHARE);
      const freed = await evict({
        root,
        entries,
        bytes: wanted,
        isOpen,
        evicted: ({ diskBytes }) => {
          counters.increment('cache.evicted');
          counters.increment('cache.evictedBytes', diskBytes);
        },
      });
      this.#used -= freed;
    }
    this.#free.at = -Infinity;
  }
}
