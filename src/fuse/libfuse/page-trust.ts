import { LRUCache } from 'lru-cache';

import type { InodeNumber } from '../../tree/file-system.js';
import { PathFilter } from './path-filter.js';

/**
 * Which pages of the kernel may outlive an open.
 *
 * The kernel keeps the pages of a file after its last close, and gives them to the next reader
 * without asking us, if the answer to OPEN says so. Pages may be kept only when every byte in them
 * is known to be right; else the reader could read a bad blob to its end without an error.
 *
 * Through libfuse 2.9 we do not answer that question ourselves: its `auto_cache` does. While it
 * handles an OPEN that we have answered, it asks for the attributes (`fgetattr` with the new
 * handle), and keeps the pages iff modification time and size are those it saw last
 * (`open_auto_cache` in lib/fuse.c at tag fuse-2.9.9). So an OPEN that must drop the pages answers
 * that one question with a modification time that nobody was ever told, nor will be: see
 * {@link PageTrust.fleetingMtime}. Nothing of it lasts:
 * - the answer goes to libfuse alone, which never hands it to the kernel, so readers always see the
 *   true time of a file;
 * - it needs no memory per path, hence nothing to evict;
 * - whatever getattr answers run at the same moment, none can carry the same time, so none can make
 *   libfuse believe that nothing changed.
 * When libfuse does not ask (it has forgotten the file, or saw another change), it drops the pages
 * anyway. The kernel's own first `fgetattr` then gets that time: harmless, for with an attribute
 * timeout of 0 every stat(2) asks again, and with another one libfuse drops once more than needed.
 *
 * A path that was never opened before has no pages. That needs no drop, so its first reader costs
 * the second one nothing; who opens it at the same time finds only pages that these two fill.
 *
 * A drop is *confirmed* by the first READ through its handle: only then is it certain that the
 * kernel has processed the answer to OPEN. An unconfirmed drop proves nothing about older pages.
 *
 * All decisions are made synchronously, in the order in which the requests reached us.
 */
export class PageTrust {
  /** Paths without open handles whose pages, if the kernel has any, are right; and whose they are. */
  readonly #trusted: LRUCache<string, InodeNumber>;
  readonly #sessions = new Map<string, PageSession>();
  readonly #openedBefore = new PathFilter();
  #fleeting = 0;

  /** @param capacity paths remembered; a forgotten one costs a read, never a wrong byte */
  constructor(capacity = 100_000) {
    this.#trusted = new LRUCache({ max: capacity });
  }

  /**
   * The tree has opened a file, and OPEN is about to be answered. Every handle of a path that is
   * open at the same time must be of the same inode.
   */
  opened(path: string, ino: InodeNumber, verified: boolean): PagesOfHandle {
    let session = this.#sessions.get(path);
    if (session === undefined) {
      session = { path, ino, handles: 0, unverifiedReleases: 0, cleanSince: undefined };
      this.#sessions.set(path, session);
    }
    const trusted = verified && this.#trusted.get(path) === ino;
    const keep = !this.#openedBefore.add(path) || trusted;
    if (keep) session.cleanSince = session.unverifiedReleases;
    // From now on unverified bytes may enter the cache, or older ones may still be there.
    if (!trusted) this.#trusted.delete(path);
    session.handles += 1;
    return {
      session,
      keep,
      releasesBefore: session.unverifiedReleases,
      confirmed: keep,
      asked: keep,
    };
  }

  /**
   * The modification time to answer to an `fgetattr` of this handle instead of the true one, in ms,
   * or `undefined` when the true one is due. Each time is given once only, and lies beyond all true
   * ones (see {@link LATEST_TRUE_MTIME}).
   */
  fleetingMtime(pages: PagesOfHandle): number | undefined {
    if (pages.asked) return undefined;
    pages.asked = true;
    this.#fleeting += 1;
    return LATEST_TRUE_MTIME + this.#fleeting;
  }

  /** A READ came through this handle. */
  read(pages: PagesOfHandle): void {
    if (pages.confirmed) return;
    pages.confirmed = true;
    // OPEN is over: an fgetattr from here on is the kernel's, not libfuse's.
    pages.asked = true;
    const { session } = pages;
    session.cleanSince = Math.max(session.cleanSince ?? 0, pages.releasesBefore);
  }

  /**
   * The last reference of this handle is gone: all its READs were answered before.
   * @param verified all bytes that it delivered are known to be right
   */
  released(pages: PagesOfHandle, verified: boolean): void {
    const { session } = pages;
    session.handles -= 1;
    if (!verified) {
      session.unverifiedReleases += 1;
      this.#trusted.delete(session.path);
    }
    if (session.handles > 0) return;
    this.#sessions.delete(session.path);
    // Right iff the cache was right or empty at some moment, and every handle that could have
    // filled it since then says that its bytes are right.
    if (session.cleanSince === session.unverifiedReleases) {
      this.#trusted.set(session.path, session.ino);
    } else {
      this.#trusted.delete(session.path);
    }
  }
}

/** The latest modification time that may be shown as true, in ms: in the year 2248. */
export const LATEST_TRUE_MTIME = 2 ** 43;

/** From the first open of a path to its last release. */
interface PageSession {
  readonly path: string;
  readonly ino: InodeNumber;
  handles: number;
  unverifiedReleases: number;
  /** The value of `unverifiedReleases` when the cache was last known to be right or empty. */
  cleanSince: number | undefined;
}

/** What {@link PageTrust} knows of one open handle. */
export interface PagesOfHandle {
  readonly session: PageSession;
  /** This open needs no drop: what pages the kernel has are right, or it has none. */
  readonly keep: boolean;
  readonly releasesBefore: number;
  confirmed: boolean;
  asked: boolean;
}
