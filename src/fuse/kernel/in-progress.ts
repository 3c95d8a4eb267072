import type { InodeNumber } from '../../tree/file-system.js';
import type { Body } from './requests.js';

/**
 * Requests for which the kernel holds a lock of their inode until they are answered: of the pages
 * that are being read, or of the directory that is being searched.
 */
const LOCKING: ReadonlySet<Body['kind']> = new Set(['lookup', 'read', 'readdir', 'readdirplus']);

/** Requests that are being served. */
export class InProgress {
  readonly #all = new Set<Promise<void>>();
  readonly #locking = new Map<InodeNumber, Set<Promise<void>>>();

  /** @param work settles when the request is answered */
  add(ino: InodeNumber, kind: Body['kind'], work: Promise<void>): void {
    const locking = LOCKING.has(kind) ? this.#worksOf(ino) : undefined;
    const tracked = work.finally(() => {
      this.#all.delete(tracked);
      if (locking?.delete(tracked) === true && locking.size === 0) this.#locking.delete(ino);
    });
    this.#all.add(tracked);
    locking?.add(tracked);
  }

  /**
   * Wait for those requests that are being served now and for which the kernel holds a lock of the
   * inode; not for any that come later.
   */
  async unlocked(ino: InodeNumber): Promise<void> {
    const locking = this.#locking.get(ino);
    if (locking !== undefined) await Promise.all(locking);
  }

  /** Wait until nothing is being served. */
  async settled(): Promise<void> {
    await Promise.all(this.#all);
  }

  #worksOf(ino: InodeNumber): Set<Promise<void>> {
    let works = this.#locking.get(ino);
    if (works === undefined) {
      works = new Set();
      this.#locking.set(ino, works);
    }
    return works;
  }
}
