import { expect, test } from 'vitest';

import { foldInode, packStat, toStat, toStatFs } from './stat.js';

const attributes = {
  ino: 5,
  kind: 'file',
  size: 2 ** 33 + 1,
  permissions: 0o444,
  nlink: 1,
  mtime: 1_700_000_000_123.9,
} as const;
const owner = { uid: 1000, gid: 100 };

test('a file and a directory', () => {
  expect(toStat(attributes, owner)).toEqual({
    mode: 0o100444,
    uid: 1000,
    gid: 100,
    size: 2 ** 33 + 1,
    nlink: 1,
    ino: 5,
    blksize: 131_072,
    blocks: 2 ** 24 + 1,
    atime: 1_700_000_000_123,
    mtime: 1_700_000_000_123,
    ctime: 1_700_000_000_123,
  });
  const directory = { ...attributes, kind: 'directory', permissions: 0o555 } as const;
  expect(toStat(directory, owner).mode).toBe(0o040555);
  expect(toStat(directory, { ...owner, umask: 0o027 }).mode).toBe(0o040550);
});

test('a time before 1970 becomes 1970: the native half knows no negative ones', () => {
  expect(toStat({ ...attributes, mtime: -1 }, owner).mtime).toBe(0);
});

test('inode numbers are folded to 32 bits, and special ones stay special', () => {
  expect(foldInode(1)).toBe(1);
  const reserved = [0, 1, 2 ** 32 - 1];
  for (const ino of [2, 5, 2 ** 32, 2 ** 32 - 1, 2 ** 32 + 1, 2 ** 53 - 1]) {
    const folded = foldInode(ino);
    expect(reserved).not.toContain(folded);
    expect(Number.isInteger(folded) && folded > 0 && folded < 2 ** 32).toBe(true);
  }
  // Numbers that differ only above bit 31 stay apart.
  const high = Array.from({ length: 1000 }, (_, index) => foldInode(index * 2 ** 32 + 77));
  expect(new Set(high).size).toBe(1000);
});

test('the packed form has low and high halves where the native half reads them', () => {
  const packed = packStat(toStat(attributes, owner));
  expect(packed).toHaveLength(18);
  expect([...packed.subarray(0, 5)]).toEqual([0o100444, 1000, 100, 1, 2]);
  expect([...packed.subarray(6, 8)]).toEqual([1, 5]);
  const mtime = (packed[14] ?? 0) + (packed[15] ?? 0) * 2 ** 32;
  expect(mtime).toBe(1_700_000_000_123);
});

test('a file system of any size has counts of 32 bits', () => {
  const stats = { blockSize: 4096, totalBlocks: 2 ** 40, files: 2 ** 40, maxNameLength: 255 };
  const packed = toStatFs(stats);
  expect(packed.blocks).toBeLessThan(2 ** 32);
  expect(packed.blocks * packed.frsize).toBe(2 ** 52);
  expect(packed.files).toBe(2 ** 32 - 1);
  expect(packed).toMatchObject({ ffree: 0, namemax: 255 });
  expect(packed.bavail).toBe(packed.blocks);
});
