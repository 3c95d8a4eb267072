import { LRUCache } from 'lru-cache';

import type { InodeNumber } from '../tree/file-system.js';

/**
 * Which pages of the kernel may outlive an open.
 *
 * The kernel keeps the pages of a file after its last close, and gives them to the next reader
 * without asking us, if the answer to OPEN says so. Pages may be kept only when every byte in them
 * is known to be right; else the reader could read a bad blob to its end without an error.
 *
 * `Key` names what the kernel keeps one set of pages for: a path through libfuse 2.9, an inode
 * otherwise.
 *
 * A drop is *confirmed* by the first READ through its handle: only then is it certain that the
 * kernel has processed the answer to OPEN. An unconfirmed drop proves nothing about older pages.
 *
 * All decisions are made synchronously, in the order in which the requests reached us.
 */
export class PageTrust<Key extends string | number> {
  /** Keys without open handles whose pages, if the kernel has any, are right; and whose they are. */
  readonly #trusted: LRUCache<Key, InodeNumber>;
  readonly #sessions = new Map<Key, PageSession<Key>>();

  /** @param capacity keys remembered; a forgotten one costs a read, never a wrong byte */
  constructor(capacity = 100_000) {
    // With `max` it would take all its room at once, before a mount answers.
    this.#trusted = new LRUCache({ maxSize: capacity, sizeCalculation: () => 1 });
  }

  /**
   * The tree has opened a file, and OPEN is about to be answered. Every handle of a key that is
   * open at the same time must be of the same inode.
   * @param hasNoPages the kernel certainly has no pages: then none need be dropped
   */
  opened(key: Key, ino: InodeNumber, verified: boolean, hasNoPages: boolean): PagesOfHandle<Key> {
    let session = this.#sessions.get(key);
    if (session === undefined) {
      session = { key, ino, handles: 0, unverifiedReleases: 0, cleanSince: undefined };
      this.#sessions.set(key, session);
    }
    const trusted = verified && this.#trusted.get(key) === ino;
    const keep = hasNoPages || trusted;
    if (keep) session.cleanSince = session.unverifiedReleases;
    // From now on unverified bytes may enter the cache, or older ones may still be there.
    if (!trusted) this.#trusted.delete(key);
    session.handles += 1;
    return { session, keep, releasesBefore: session.unverifiedReleases, confirmed: keep };
  }

  /** A READ came through this handle. */
  read(pages: PagesOfHandle<Key>): void {
    if (pages.confirmed) return;
    pages.confirmed = true;
    const { session } = pages;
    session.cleanSince = Math.max(session.cleanSince ?? 0, pages.releasesBefore);
  }

  /**
   * The last reference of this handle is gone: all its READs were answered before.
   * @param verified all bytes that it delivered are known to be right
   */
  released(pages: PagesOfHandle<Key>, verified: boolean): void {
    const { session } = pages;
    session.handles -= 1;
    if (!verified) {
      session.unverifiedReleases += 1;
      this.#trusted.delete(session.key);
    }
    if (session.handles > 0) return;
    this.#sessions.delete(session.key);
    // Right iff the cache was right or empty at some moment, and every handle that could have
    // filled it since then says that its bytes are right.
    if (session.cleanSince === session.unverifiedReleases) {
      this.#trusted.set(session.key, session.ino);
    } else {
      this.#trusted.delete(session.key);
    }
  }

  /** The kernel has no pages of this key any more. */
  forget(key: Key): void {
    this.#trusted.delete(key);
  }
}

/** From the first open of a key to its last release. */
export interface PageSession<Key> {
  readonly key: Key;
  readonly ino: InodeNumber;
  handles: number;
  unverifiedReleases: number;
  /** The value of `unverifiedReleases` when the cache was last known to be right or empty. */
  cleanSince: number | undefined;
}

/** What {@link PageTrust} knows of one open handle. */
export interface PagesOfHandle<Key> {
  readonly session: PageSession<Key>;
  /** This open needs no drop: what pages the kernel has are right, or it has none. */
  readonly keep: boolean;
  readonly releasesBefore: number;
  confirmed: boolean;
}
