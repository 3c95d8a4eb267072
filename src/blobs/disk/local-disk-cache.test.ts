import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  keep,
  newCacheDirectory,
  openTestCache,
  readCached,
  TEST_PART,
  testContent,
} from '../../../test/support/test-cache.js';
import type { ContentName } from '../disk-cache.js';
import { blobPath, partialPath, recordPath } from './paths.js';

const CONTENT = testContent(2 * TEST_PART + 345);

/** A cache with one complete blob that nobody has open, closed. */
async function withOneBlob(content = CONTENT) {
  const directory = await newCacheDirectory();
  const { cache } = await openTestCache(directory);
  (await keep(cache, content))?.close();
  await cache.close();
  return { directory, path: blobPath(directory, content.name.digest) };
}

async function flip(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, position);
  await file.close();
}

describe('a complete blob', () => {
  it('is one plain file with its bytes, for this user alone', async () => {
    const { path } = await withOneBlob();
    expect((await readFile(path)).equals(CONTENT.bytes)).toBe(true);
    expect((await stat(path)).mode & 0o7777).toBe(0o400);
  });

  it('is read after a restart, and not hashed for that', async () => {
    const { directory } = await withOneBlob();
    const { cache, counters } = await openTestCache(directory);
    expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
    expect(counters.snapshot()).toMatchObject({
      'cache.hit': 1,
      'cache.rehashed': 0,
      'cache.bytesRead': CONTENT.name.size,
    });
  });

  it('can be read in pieces by several readers, who close it one by one', async () => {
    const { directory } = await withOneBlob();
    const { cache } = await openTestCache(directory);
    const [one, other] = await Promise.all([cache.open(CONTENT.name), cache.open(CONTENT.name)]);
    expect(one?.fd).toBe(other?.fd);
    one?.close();
    one?.close();
    const piece = Buffer.alloc(100);
    await other?.read(piece, 1950);
    expect(piece.equals(CONTENT.bytes.subarray(1950, 2050))).toBe(true);
    other?.close();
    expect(cache.status().openBlobs).toBe(0);
  });

  it('is another one when the descriptor lies about its size, and stays', async () => {
    const { directory, path } = await withOneBlob();
    const { cache } = await openTestCache(directory);
    const lie = { ...CONTENT.name, size: CONTENT.name.size - 1 };
    expect(await cache.open(lie)).toBeUndefined();
    expect(await cache.openPartial(lie)).toBeUndefined();
    expect(existsSync(path)).toBe(true);
  });

  it('may be empty', async () => {
    const empty = {
      bytes: Buffer.alloc(0),
      name: {
        digest: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
        size: 0,
      } as ContentName,
    };
    const { directory } = await withOneBlob(empty);
    const { cache } = await openTestCache(directory);
    expect((await readCached(cache, empty.name))?.length).toBe(0);
  });
});

describe('a file that is not the one that was recorded', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['flipped', (path) => flip(path, 1500)],
    ['truncated', (path) => truncate(path, 10)],
    ['emptied', (path) => truncate(path, 0)],
    ['longer', (path) => writeFile(path, 'x', { flag: 'a' })],
    [
      'replaced',
      async (path) => {
        await unlink(path);
        await writeFile(path, Buffer.alloc(CONTENT.name.size), { mode: 0o400 });
      },
    ],
    [
      'flipped, with its old times',
      async (path) => {
        const { atime, mtime } = await stat(path);
        await flip(path, 0);
        await utimes(path, atime, mtime);
      },
    ],
  ])('is removed when it is %s, and can be kept anew', async (_, damage) => {
    const { directory, path } = await withOneBlob();
    await damage(path);
    const { cache, counters } = await openTestCache(directory);
    expect(await cache.open(CONTENT.name)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    expect(counters.get('cache.damaged')).toBe(1);
    (await keep(cache, CONTENT))?.close();
    expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
  });

  it.each<[string, (path: string, record: string) => Promise<void>]>([
    ['touched', (path) => utimes(path, 1, 1)],
    [
      'copied back',
      async (path) => {
        const bytes = await readFile(path);
        await unlink(path);
        await writeFile(path, bytes, { mode: 0o400 });
      },
    ],
    ['without a record', (_, record) => unlink(record)],
    ['recorded badly', (_, record) => writeFile(record, '{"inode":')],
    ['recorded as nothing', (_, record) => writeFile(record, 'null')],
  ])('is hashed once and then believed when it is only %s', async (_, change) => {
    const { directory, path } = await withOneBlob();
    await change(path, recordPath(directory, CONTENT.name.digest));
    const { cache, counters } = await openTestCache(directory);
    for (let time = 0; time < 2; time++) {
      expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
    }
    expect(counters.get('cache.rehashed')).toBe(1);
    expect(counters.get('cache.damaged')).toBe(0);
  });

  it('is found out at the next open, also while it is open', async () => {
    const { directory, path } = await withOneBlob();
    const { cache } = await openTestCache(directory);
    const blob = await cache.open(CONTENT.name);
    await flip(path, 3);
    expect(await cache.open(CONTENT.name)).toBeUndefined();
    blob?.close();
  });
});

describe('a file that is not ours', () => {
  it.each<[string, (path: string) => Promise<void>]>([
    ['a link', (path) => rename(path, `${path}x`).then(() => symlink(`${path}x`, path))],
    ['a FIFO', (path) => unlink(path).then(() => void execFileSync('mkfifo', [path]))],
    ['another user’s', (path) => chown(path, 12345, 12345)],
    ['one that others may write to', (path) => chmod(path, 0o666)],
  ])('is a miss when it is %s', async (_, change) => {
    const { directory, path } = await withOneBlob();
    await change(path);
    const { cache, counters } = await openTestCache(directory);
    expect(await cache.open(CONTENT.name)).toBeUndefined();
    expect(counters.get('cache.foreign')).toBe(1);
    (await keep(cache, CONTENT))?.close();
    expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
    expect((await lstat(path)).isFile()).toBe(true);
  });

  it('is a miss when it is a directory', async () => {
    const { directory, path } = await withOneBlob();
    await unlink(path);
    await mkdir(path);
    const { cache } = await openTestCache(directory);
    expect(await cache.open(CONTENT.name)).toBeUndefined();
    expect(await keep(cache, CONTENT)).toBeUndefined();
    expect(cache.status().trouble).toBeDefined();
  });
});

describe('a partial blob', () => {
  it('is gone on with by the next run', async () => {
    const directory = await newCacheDirectory();
    const first = await openTestCache(directory);
    const partial = await first.cache.openPartial(CONTENT.name);
    await partial?.write(1, CONTENT.bytes.subarray(TEST_PART, 2 * TEST_PART));
    await first.cache.close();
    const second = await openTestCache(directory);
    const resumed = await second.cache.openPartial(CONTENT.name);
    expect([0, 1, 2].map((index) => resumed?.has(index))).toEqual([false, true, false]);
    const bytes = Buffer.alloc(TEST_PART);
    await resumed?.read(bytes, TEST_PART);
    expect(bytes.equals(CONTENT.bytes.subarray(TEST_PART, 2 * TEST_PART))).toBe(true);
    await resumed?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await resumed?.write(2, CONTENT.bytes.subarray(2 * TEST_PART));
    (await resumed?.complete())?.close();
    expect(second.counters.get('cache.resumed')).toBe(1);
    expect((await readCached(second.cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
    expect(await partialFiles(directory, CONTENT.name)).toEqual([]);
  });

  it('that is being closed is gone on with by the next reader', async () => {
    const { cache } = await openTestCache(await newCacheDirectory());
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    const closing = partial?.close();
    const [resumed, ...others] = await Promise.all([
      cache.openPartial(CONTENT.name),
      cache.openPartial(CONTENT.name),
    ]);
    expect(resumed?.has(0)).toBe(true);
    expect(others).toEqual([undefined]);
    await closing;
    await resumed?.write(1, CONTENT.bytes.subarray(TEST_PART));
    (await resumed?.complete())?.close();
    expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
  });

  it('takes several parts at once', async () => {
    const { cache } = await openTestCache(await newCacheDirectory());
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(1, CONTENT.bytes.subarray(TEST_PART));
    expect([0, 1, 2].map((index) => partial?.has(index))).toEqual([false, true, true]);
    await partial?.close();
    const resumed = await cache.openPartial(CONTENT.name);
    const rest = Buffer.alloc(CONTENT.name.size - TEST_PART);
    await resumed?.read(rest, TEST_PART);
    expect(rest.equals(CONTENT.bytes.subarray(TEST_PART))).toBe(true);
    await resumed?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    (await resumed?.complete())?.close();
    expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
  });

  it('is not made complete with a part that an earlier run left and nobody has read', async () => {
    const directory = await newCacheDirectory();
    const first = await openTestCache(directory);
    const partial = await first.cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await partial?.close();
    const resumed = await first.cache.openPartial(CONTENT.name);
    await resumed?.write(1, CONTENT.bytes.subarray(TEST_PART, 2 * TEST_PART));
    await resumed?.write(2, CONTENT.bytes.subarray(2 * TEST_PART));
    expect(await resumed?.complete()).toBeUndefined();
  });

  it('that somebody writes to in the middle is not made complete', async () => {
    const directory = await newCacheDirectory();
    const { cache, counters } = await openTestCache(directory);
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, 2 * TEST_PART));
    const [file = ''] = await partialFiles(directory, CONTENT.name);
    // The kernel's clock ticks every 4 ms on some hosts.
    await new Promise((resolve) => setTimeout(resolve, 12));
    await flip(file, 5);
    await partial?.write(2, CONTENT.bytes.subarray(2 * TEST_PART));
    expect([0, 1, 2].map((index) => partial?.has(index))).toEqual([false, false, true]);
    expect(await partial?.complete()).toBeUndefined();
    expect(counters.get('cache.damaged')).toBe(1);
    (await keep(cache, CONTENT))?.close();
    expect((await readCached(cache, CONTENT.name))?.equals(CONTENT.bytes)).toBe(true);
  });

  it('that was damaged since is fetched again, part by part', async () => {
    const directory = await newCacheDirectory();
    const { cache } = await openTestCache(directory);
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await partial?.write(1, CONTENT.bytes.subarray(TEST_PART, 2 * TEST_PART));
    await partial?.close();
    await flip(partialPath(directory, CONTENT.name), TEST_PART + 7);
    const resumed = await cache.openPartial(CONTENT.name);
    const bytes = Buffer.alloc(10);
    await expect(resumed?.read(bytes, TEST_PART)).rejects.toThrow('not in the cache');
    expect([0, 1].map((index) => resumed?.has(index))).toEqual([true, false]);
    await resumed?.read(bytes, 0);
    expect(bytes.equals(CONTENT.bytes.subarray(0, 10))).toBe(true);
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ['truncated', (path) => truncate(path, 2000)],
    ['emptied', (path) => truncate(path, 0)],
    ['without its magic', (path) => flip(path, CONTENT.name.size)],
    ['a link', (path) => rename(path, `${path}x`).then(() => symlink(`${path}x`, path))],
  ])('that is %s is begun anew', async (_, damage) => {
    const directory = await newCacheDirectory();
    const { cache } = await openTestCache(directory);
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await partial?.close();
    await damage(partialPath(directory, CONTENT.name));
    expect((await cache.openPartial(CONTENT.name))?.has(0)).toBe(false);
  });

  it('of another part size is begun anew', async () => {
    const directory = await newCacheDirectory();
    const first = await openTestCache(directory);
    const partial = await first.cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await first.cache.close();
    const second = await openTestCache(directory, { partSize: 512 });
    const other = await second.cache.openPartial(CONTENT.name);
    expect({ partSize: other?.partSize, has: other?.has(0) }).toEqual({
      partSize: 512,
      has: false,
    });
  });

  it('of a process that died is taken over; its parts without a hash are not used', async () => {
    const directory = await newCacheDirectory();
    const { cache } = await openTestCache(directory);
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    const [file = ''] = await partialFiles(directory, CONTENT.name);
    // As if another process, dead by now, had written it.
    const dead = file.replace(/\.\d+\.\d+\.\d+$/, '.4194304.1.1');
    expect(dead).not.toBe(file);
    await rename(file, dead);
    const { cache: next } = await openTestCache(directory);
    const taken = await next.openPartial(CONTENT.name);
    expect(taken?.has(0)).toBe(false);
    expect(await partialFiles(directory, CONTENT.name)).toHaveLength(1);
  });

  it('is written by one at a time, in this process and in others', async () => {
    const directory = await newCacheDirectory();
    const { cache } = await openTestCache(directory);
    const { cache: other } = await openTestCache(directory);
    const partial = await cache.openPartial(CONTENT.name);
    expect(await cache.openPartial(CONTENT.name)).toBeUndefined();
    expect(await other.openPartial(CONTENT.name)).toBeUndefined();
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await partial?.close();
    const resumed = await other.openPartial(CONTENT.name);
    expect(resumed?.has(0)).toBe(true);
  });

  it('that is discarded, or holds nothing, leaves nothing', async () => {
    const directory = await newCacheDirectory();
    const { cache } = await openTestCache(directory);
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await partial?.discard();
    await (await cache.openPartial(CONTENT.name))?.close();
    expect(await partialFiles(directory, CONTENT.name)).toEqual([]);
  });

  it('answers no more once it is closed', async () => {
    const { cache } = await openTestCache(await newCacheDirectory());
    const partial = await cache.openPartial(CONTENT.name);
    await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART));
    await partial?.close();
    expect(await partial?.write(1, CONTENT.bytes.subarray(TEST_PART, 2 * TEST_PART))).toBe(false);
    expect(await partial?.complete()).toBeUndefined();
    await expect(partial?.read(Buffer.alloc(1), 0)).rejects.toThrow('closed');
    await partial?.discard();
  });
});

async function partialFiles(directory: string, name: ContentName): Promise<string[]> {
  const shard = join(partialPath(directory, name), '..');
  return (await readdir(shard)).map((file) => join(shard, file));
}

describe('room', () => {
  /** Bytes on the disk of one blob of 4000 bytes: a block for it, one for its record. */
  const ONE = 8192;
  const many = Array.from({ length: 6 }, (_, seed) => testContent(4000, seed + 1));

  /** Seconds apart, so that it is known which was used longest ago. */
  async function keepInOrder(directory: string) {
    const { cache } = await openTestCache(directory);
    for (const [i, content] of many.entries()) {
      (await keep(cache, content))?.close();
      const used = Date.now() / 1000 - 100 + i;
      // Closing it has touched the record by now, or soon.
      await cacheIdle(directory, content.name);
      await utimes(recordPath(directory, content.name.digest), used, used);
    }
    await cache.close();
  }

  async function cacheIdle(directory: string, { digest }: ContentName) {
    await expect
      .poll(async () => (await stat(recordPath(directory, digest))).atimeMs)
      .toBeLessThan(Date.now() + 1000);
  }

  it('is made by throwing out what was used longest ago', async () => {
    const directory = await newCacheDirectory();
    await keepInOrder(directory);
    const { cache, counters } = await openTestCache(directory, { maxBytes: 4 * ONE });
    await expect.poll(() => cache.status().bytes).toBeLessThanOrEqual(4 * ONE);
    const left = many.map(({ name }) => existsSync(blobPath(directory, name.digest)));
    expect(left).toEqual([false, false, false, true, true, true]);
    expect(counters.get('cache.evicted')).toBe(3);
    expect(existsSync(recordPath(directory, many[0]?.name.digest ?? CONTENT.name.digest))).toBe(
      false,
    );
  });

  it('is not made of what is open, here or in another process', async () => {
    const directory = await newCacheDirectory();
    await keepInOrder(directory);
    const [oldest = CONTENT] = many;
    const other = await openTestCache(directory);
    const held = await other.cache.open(oldest.name);
    await expect
      .poll(async () => (await stat(recordPath(directory, oldest.name.digest))).atimeMs)
      .toBeGreaterThan(Date.now() + 60_000);
    const { cache } = await openTestCache(directory, { maxBytes: 4 * ONE });
    await expect.poll(() => cache.status().bytes).toBeLessThanOrEqual(4 * ONE);
    expect(existsSync(blobPath(directory, oldest.name.digest))).toBe(true);
    held?.close();
    await cacheIdle(directory, oldest.name);
  });

  it('is not found when all is open; then nothing is written, and that is said', async () => {
    const directory = await newCacheDirectory();
    const { cache } = await openTestCache(directory, { maxBytes: 3 * ONE });
    const held = [];
    for (const content of many.slice(0, 2)) held.push(await keep(cache, content));
    expect(held).not.toContain(undefined);
    const partial = await cache.openPartial(CONTENT.name);
    const taken = [];
    for (let i = 0; i < 3 && partial !== undefined; i++) {
      const { bytes } = testContent(TEST_PART * 10);
      taken.push(await partial.write(i, bytes));
    }
    expect(taken).toContain(false);
    expect(cache.status().trouble).toMatch(/in use/);
    for (const blob of held) blob?.close();
  });

  it('is none for a blob larger than the cache, nor below the least free space', async () => {
    const small = await openTestCache(await newCacheDirectory(), { maxBytes: 1000 });
    expect(await small.cache.openPartial(CONTENT.name)).toBeUndefined();
    const scarce = await openTestCache(await newCacheDirectory(), { minFreeBytes: 1e18 });
    const partial = await scarce.cache.openPartial(CONTENT.name);
    expect(await partial?.write(0, CONTENT.bytes.subarray(0, TEST_PART))).toBe(false);
  });
});

describe('the directory', () => {
  it.each<[string, (directory: string) => Promise<void>, RegExp]>([
    ['others may write to', (directory) => chmod(directory, 0o777), /Other users may write/],
    ['another user owns', (directory) => chown(directory, 12345, 0), /belongs to another user/],
    [
      'holds other files',
      async (directory) => {
        await rm(directory, { recursive: true });
        await mkdir(directory);
        await writeFile(join(directory, 'letter.txt'), '');
      },
      /holds other files \(such as letter.txt\)/,
    ],
    [
      'is of another version',
      (directory) => writeFile(join(directory, 'layoutfs-cache'), 'layoutfs cache, version 9\n'),
      /another version of layoutfs \("layoutfs cache, version 9"\)/,
    ],
    [
      'is a file',
      (directory) => rm(directory, { recursive: true }).then(() => writeFile(directory, '')),
      /is no directory/,
    ],
    [
      'has a link inside',
      async (directory) => {
        await rename(join(directory, 'blobs'), join(directory, '../blobs'));
        await symlink('../blobs', join(directory, 'blobs'));
      },
      /blobs is no directory that only this user/,
    ],
  ])('is refused when it %s', async (_, change, message) => {
    const { directory } = await withOneBlob();
    await change(directory);
    await expect(openTestCache(directory)).rejects.toThrow(message);
  });

  it('is made with those above it', async () => {
    const directory = join(await newCacheDirectory(), 'a', 'b');
    await openTestCache(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  it('that vanishes is not made again: another disk would be filled', async () => {
    const { directory } = await withOneBlob();
    const { cache } = await openTestCache(directory);
    await rm(directory, { recursive: true });
    expect(await cache.open(CONTENT.name)).toBeUndefined();
    expect(await cache.openPartial(CONTENT.name)).toBeUndefined();
    expect(existsSync(directory)).toBe(false);
    expect(cache.status().trouble).toBe('it is gone');
  });
});
