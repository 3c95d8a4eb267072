import type { Attributes, FileSystemStats, InodeNumber } from '../../tree/file-system.js';
import { LATEST_TRUE_MTIME } from './page-trust.js';

/** File type bits of `st_mode`, as in <sys/stat.h>. */
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** `st_blksize`: what programs take as a good size for a read; one FUSE READ (32 pages). */
const BLOCK_SIZE = 128 * 1024;

/** Unit of `st_blocks`, whatever the block size. */
const STAT_BLOCK = 512;

const UINT32_MAX = 2 ** 32 - 1;

/** The fields of `struct stat`, under the names that fuse-native reads; times in ms. */
export interface Stat {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly ino: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** The fields of `struct statvfs`, under the names that fuse-native reads. */
export interface StatFs {
  readonly bsize: number;
  readonly frsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly favail: number;
  readonly namemax: number;
}

/** Who owns every file of the mount. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits that none of them has. */
  readonly umask?: number;
}

/**
 * `struct stat` for these attributes. The change time is the modification time unless that is a
 * fleeting one (see {@link LATEST_TRUE_MTIME}); then it does not matter.
 */
export function toStat(attributes: Attributes, owner: Owner): Stat {
  // fuse-native writes times as unsigned milliseconds.
  const mtime = Math.max(0, Math.trunc(attributes.mtime));
  const type = attributes.kind === 'directory' ? S_IFDIR : S_IFREG;
  return {
    mode: type | (attributes.permissions & ~(owner.umask ?? 0)),
    uid: owner.uid,
    gid: owner.gid,
    size: attributes.size,
    nlink: attributes.nlink,
    ino: foldInode(attributes.ino),
    blksize: BLOCK_SIZE,
    blocks: Math.ceil(attributes.size / STAT_BLOCK),
    atime: mtime,
    mtime,
    ctime: mtime,
  };
}

/** The same attributes with a time that {@link LATEST_TRUE_MTIME} allows. */
export function withTrueMtime(attributes: Attributes): Attributes {
  return attributes.mtime <= LATEST_TRUE_MTIME
    ? attributes
    : { ...attributes, mtime: LATEST_TRUE_MTIME };
}

/**
 * `st_ino` for an inode number: fuse-native cuts it to 32 bits. Both halves are mixed, so that
 * numbers that differ in one of them stay apart; 0 ("none"), 1 (the root) and 2^32-1 ("unknown" to
 * libfuse) are given to no other inode. Two files may share a number; with a link count of 1 no
 * tool takes them for one file.
 */
export function foldInode(ino: InodeNumber): number {
  if (ino === 1) return 1;
  const high = Math.floor(ino / 2 ** 32);
  // 2^32 divided by the golden ratio: an odd number that spreads the high half over all bits.
  const folded = (ino ^ Math.imul(high, 0x9e3779b1)) >>> 0;
  if (folded <= 1) return folded + 2;
  return folded === UINT32_MAX ? UINT32_MAX - 1 : folded;
}

/** `struct statvfs` of a full, read-only file system, scaled so that each count fits 32 bits. */
export function toStatFs(stats: FileSystemStats): StatFs {
  let { blockSize, totalBlocks } = stats;
  while (totalBlocks > UINT32_MAX) {
    blockSize *= 2;
    totalBlocks = Math.ceil(totalBlocks / 2);
  }
  return {
    bsize: blockSize,
    frsize: blockSize,
    blocks: totalBlocks,
    // Nothing can be written here, but "100 % full" would alarm whoever watches disks.
    bfree: totalBlocks,
    bavail: totalBlocks,
    files: Math.min(stats.files, UINT32_MAX),
    ffree: 0,
    favail: 0,
    namemax: stats.maxNameLength,
  };
}

/**
 * `struct stat` as the native half of fuse-native takes it: 18 unsigned 32-bit numbers, the wide
 * fields as low half, high half. Needed for `fgetattr`, which its JavaScript half answers with
 * `getattr` and so without the handle.
 */
export function packStat(stat: Stat): Uint32Array {
  const { mode, uid, gid, nlink, ino, blksize } = stat;
  return Uint32Array.of(
    mode,
    uid,
    gid,
    ...halves(stat.size),
    0, // st_dev: the kernel's
    nlink,
    ino,
    0, // st_rdev
    blksize,
    ...halves(stat.blocks),
    ...halves(stat.atime),
    ...halves(stat.mtime),
    ...halves(stat.ctime),
  );
}

function halves(wide: number): [number, number] {
  return [wide % 2 ** 32, Math.floor(wide / 2 ** 32)];
}
