import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { DirentWriter } from './dirents.js';
import { InitFlag2, OpenFlag } from './protocol.js';
import {
  encodeAttributes,
  encodeData,
  encodeEntry,
  encodeInit,
  encodeInvalidateEntry,
  encodeInvalidateInode,
  encodeOpen,
  encodeStatfs,
  encodeStatus,
} from './replies.js';

const FIXTURES = new URL('../../../test/fixtures/fuse/replies.json', import.meta.url);
const golden = JSON.parse(readFileSync(FIXTURES, 'utf8')) as Record<string, string>;

const unique = { low: 7, high: 0 };
const owner = { uid: 1000, gid: 100 };
const attributes = {
  ino: 0x123456789abcd,
  kind: 'file',
  size: 5_000_000_001,
  permissions: 0o444,
  nlink: 1,
  mtime: Date.UTC(2001, 1, 3, 4, 5, 6, 789),
} as const;
const entry = { attributes, entryTimeout: 5250, attributeTimeout: Infinity };
const kernel = { minor: 38, maxReadahead: 131_072, flags: 0x73fffffb, flags2: 0x5fd };

describe('answers are laid out as by the kernel’s header', () => {
  test.each([
    ['error', encodeStatus({ low: 7, high: 0x80000000 }, 2)],
    ['init', encodeInit({ low: 2, high: 0 }, kernel)],
    ['attributes', encodeAttributes(unique, attributes, 1500, owner)],
    ['entry', encodeEntry(unique, entry, owner)],
    ['open', encodeOpen(unique, 2 ** 33 + 1, OpenFlag.KEEP_CACHE | OpenFlag.CACHE_DIR)],
    [
      'statfs',
      encodeStatfs(unique, {
        blockSize: 4096,
        totalBlocks: 2 ** 33,
        files: 12_345,
        maxNameLength: 255,
      }),
    ],
    ['invalidateInode', encodeInvalidateInode(attributes.ino)],
    ['invalidateEntry', encodeInvalidateEntry(attributes.ino, 'index.json')],
  ])('%s', (name, bytes) => {
    expect(bytes.toString('hex')).toBe(golden[name]);
  });

  test('readdir', () => {
    const writer = new DirentWriter(4096);
    expect(writer.add({ name: 'index.json', attributes }, 3)).toBe(true);
    expect(writer.add({ name: 'ab', attributes }, 2 ** 32 + 4)).toBe(true);
    expect(Buffer.concat(encodeData(unique, writer.bytes)).toString('hex')).toBe(golden['readdir']);
  });

  test('readdirplus', () => {
    const writer = new DirentWriter(4096);
    writer.addPlus({ name: 'index.json', attributes }, 3, () => entry, owner);
    writer.addPlus({ name: '.', attributes }, 4, () => undefined, owner);
    const chunks = encodeData(unique, writer.bytes);
    expect(Buffer.concat(chunks).toString('hex')).toBe(golden['readdirplus']);
  });
});

describe('INIT', () => {
  // What these kernels offer: bits 0 to 21 first, 22 is MAX_PAGES, 30 is INIT_EXT. Where max_pages
  // cannot be said, READs are of at most 32 pages, whatever max_read is; the kernel sees to it.
  test.each([
    ['3.15', { minor: 23, flags: 0x1, flags2: 0 }, { pages: 0, flags2: 0 }],
    ['4.18', { minor: 27, flags: 0x1ffffb, flags2: 0 }, { pages: 0, flags2: 0 }],
    ['4.20', { minor: 28, flags: 0x7ffffb, flags2: 0 }, { pages: 256, flags2: 0 }],
    ['5.10', { minor: 32, flags: 0x3fffffb, flags2: 0 }, { pages: 256, flags2: 0 }],
    ['5.17', { minor: 36, flags: 0x73fffffb, flags2: 0x1 }, { pages: 256, flags2: 0 }],
    ['6.6', { minor: 39, flags: 0x73fffffb, flags2: 0x1d }, { pages: 256, flags2: 0 }],
    ['6.9', { minor: 40, flags: 0x73fffffb, flags2: 0xfd }, { pages: 256, flags2: 0xa0 }],
  ])('of Linux %s is promised nothing that it does not offer', (_, offer, answer) => {
    const reply = encodeInit(unique, { ...offer, maxReadahead: 65_536 });
    expect(reply.readUInt32LE(16 + 4)).toBe(offer.minor);
    expect(reply.readUInt32LE(16 + 8)).toBe(65_536);
    expect(reply.readUInt32LE(16 + 12) & ~offer.flags).toBe(0);
    expect(reply.readUInt16LE(16 + 28)).toBe(answer.pages);
    expect(reply.readUInt32LE(16 + 32)).toBe(answer.flags2);
    const takesFiles = (answer.flags2 & InitFlag2.PASSTHROUGH) !== 0;
    expect(reply.readUInt32LE(16 + 36)).toBe(takesFiles ? 1 : 0);
  });

  test('of a newer kernel is answered with the version that we know', () => {
    expect(encodeInit(unique, { ...kernel, minor: 99 }).readUInt32LE(16 + 4)).toBe(45);
  });
});

test('permissions are shown without those of the mask', () => {
  const reply = encodeAttributes(unique, attributes, 0, { ...owner, umask: 0o027 });
  expect(reply.readUInt32LE(16 + 16 + 60)).toBe(0o100440);
});

describe('times', () => {
  const at = (mtime: number) => {
    const reply = encodeAttributes(unique, { ...attributes, mtime }, 0, owner);
    return [reply.readBigInt64LE(16 + 16 + 32), reply.readUInt32LE(16 + 16 + 52)];
  };

  test('before 1970 are negative seconds and positive nanoseconds', () => {
    expect(at(-1)).toEqual([-1n, 999_000_000]);
    expect(at(-2000)).toEqual([-2n, 0]);
  });

  test('after 2038', () => expect(at(2 ** 42)).toEqual([4_398_046_511n, 104_000_000]));
});

describe('a listing', () => {
  test('takes only what fits, and refers to nothing that does not', () => {
    let taken = 0;
    const take = () => {
      taken += 1;
      return entry;
    };
    // Two of 128 + 24 + 8 bytes.
    const writer = new DirentWriter(2 * 160 + 159);
    const one = { name: 'a', attributes };
    const fits = [1, 2, 3].map((next) => writer.addPlus(one, next, take, owner));
    expect(fits).toEqual([true, true, false]);
    expect(taken).toBe(2);
    expect(writer.bytes).toHaveLength(320);
    expect(new DirentWriter(31).add(one, 1)).toBe(false);
    expect(new DirentWriter(32).add(one, 1)).toBe(true);
  });
});
