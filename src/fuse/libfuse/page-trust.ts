import type { InodeNumber } from '../../tree/file-system.js';
import { PageTrust as SharedTrust, type PagesOfHandle as SharedPages } from '../page-trust.js';
import { PathFilter } from './path-filter.js';

/**
 * Which pages of the kernel may outlive an open, through libfuse 2.9: see the class that this one
 * extends for the rule.
 *
 * We do not answer that question ourselves here: libfuse's `auto_cache` does. While it handles an
 * OPEN that we have answered, it asks for the attributes (`fgetattr` with the new handle), and keeps
 * the pages iff modification time and size are those it saw last (`open_auto_cache` in lib/fuse.c at
 * tag fuse-2.9.9). So an OPEN that must drop the pages answers that one question with a modification
 * time that nobody was ever told, nor will be: see {@link PageTrust.fleetingMtime}. Nothing of it
 * lasts:
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
 */
export class PageTrust extends SharedTrust<string> {
  readonly #openedBefore = new PathFilter();
  #fleeting = 0;

  override opened(path: string, ino: InodeNumber, verified: boolean): PagesOfHandle {
    const pages = super.opened(path, ino, verified, !this.#openedBefore.add(path));
    return Object.assign(pages, { asked: pages.keep });
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

  override read(pages: PagesOfHandle): void {
    // OPEN is over: an fgetattr from here on is the kernel's, not libfuse's.
    pages.asked = true;
    super.read(pages);
  }
}

/** The latest modification time that may be shown as true, in ms: in the year 2248. */
export const LATEST_TRUE_MTIME = 2 ** 43;

/** What {@link PageTrust} knows of one open handle. */
export interface PagesOfHandle extends SharedPages<string> {
  asked: boolean;
}
