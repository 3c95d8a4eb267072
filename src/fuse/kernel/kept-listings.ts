import type { InodeNumber } from '../../tree/file-system.js';

interface Kept {
  /** How many times the kernel was made to give up its copy. */
  changes: number;
  /** Until when its copy is taken to be true, as `performance.now()`; undefined if it has none. */
  until: number | undefined;
}

/**
 * The listings that the kernel may keep by itself, and how it is made to give them up.
 *
 * It keeps what it was told of a directory with the modification time that the directory had, and
 * compares that when a listing is begun, for which it asks if the attributes' time is over
 * (fs/fuse/readdir.c, with FUSE_AUTO_INVAL_DATA). So attributes are remembered no longer than a copy
 * is true, and whoever asks later is told another modification time. That also holds for those who
 * only pass through the directory, whom this makes wait for nothing.
 */
export class KeptListings {
  readonly #kept = new Map<InodeNumber, Kept>();

  /** How many times the modification time of a directory has changed: that many ms are added. */
  changes(ino: InodeNumber): number {
    return this.#kept.get(ino)?.changes ?? 0;
  }

  /**
   * Attributes are about to be told: a copy whose time is over shall not be used any more.
   * @returns how long the kernel's copy is still true, in ms; undefined if it has none
   */
  freshFor(ino: InodeNumber): number | undefined {
    const kept = this.#kept.get(ino);
    if (kept?.until === undefined) return undefined;
    const left = kept.until - performance.now();
    if (left > 0) return left;
    this.drop(ino);
    return undefined;
  }

  /** The beginning of a listing is told that is true for `freshFor` ms. */
  told(ino: InodeNumber, freshFor: number): void {
    const until = performance.now() + freshFor;
    const kept = this.#kept.get(ino);
    if (kept === undefined) this.#kept.set(ino, { changes: 0, until });
    // What it has may be older than what it is told now, and is then kept.
    else kept.until = Math.min(kept.until ?? Infinity, until);
  }

  /** Have the kernel give up its copy when it next asks for the attributes; whether it had one. */
  drop(ino: InodeNumber): boolean {
    const kept = this.#kept.get(ino);
    if (kept?.until === undefined) return false;
    kept.until = undefined;
    kept.changes += 1;
    return true;
  }

  /** Directories of which it may have a copy. */
  *directories(): Iterable<InodeNumber> {
    for (const [ino, { until }] of this.#kept) if (until !== undefined) yield ino;
  }

  /** The kernel has forgotten the directory. */
  forget(ino: InodeNumber): void {
    this.#kept.delete(ino);
  }
}
