import type { BigIntStats } from 'node:fs';

/**
 * By what a file is known to be the one whose bytes were verified: whoever writes to a file, or puts
 * another in its place, changes one of these, for nobody can set a ctime.
 */
export interface Fingerprint {
  readonly inode: string;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since the epoch, in decimal. */
  readonly mtime: string;
  /** Nanoseconds since the epoch, in decimal. */
  readonly ctime: string;
}

/** The fingerprint of a file, as stat(2) tells it. */
export function fingerprintOf(stat: BigIntStats): Fingerprint {
  return {
    inode: String(stat.ino),
    size: Number(stat.size),
    mtime: String(stat.mtimeNs),
    ctime: String(stat.ctimeNs),
  };
}

/** Whether nothing has happened to the file in between. */
export function isSame(one: Fingerprint, other: Fingerprint): boolean {
  return (
    one.inode === other.inode &&
    one.size === other.size &&
    one.mtime === other.mtime &&
    one.ctime === other.ctime
  );
}
