import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import {
  compileDaemon,
  disposeMounts,
  MemoryMount,
  TEST_TRANSPORT,
} from './support/memory-mount.js';
import { Reader } from './support/reader.js';

/** What the kernel keeps of a file, and when it lets go of it (promises 1 and 2). */

const run = promisify(execFile);
const BLOB = '/r/blobs/x';
const PAGES = 40 * 1024;
const right = Buffer.alloc(PAGES, 'r');
const wrong = Buffer.alloc(PAGES, 'w');
let mount: MemoryMount;

const cat = async (path: string): Promise<string> =>
  (await run('cat', [mount.path(path)], { maxBuffer: 2 ** 28 })).stdout;
/** Read a file with a program of its own; which of the letters are in it. */
const letters = async (path: string): Promise<string> => [...new Set(await cat(path))].join('');
const reads = async (): Promise<number> => (await mount.report()).calls['read'] ?? 0;
const released = () =>
  expect
    .poll(async () => (await mount.report()).owed.handles, { timeout: 5000, interval: 10 })
    .toBe(0);
/** Read once, and see the handle go. */
const readOnce = async (path = BLOB): Promise<string> => {
  const found = await letters(path);
  await released();
  return found;
};

beforeAll(compileDaemon);
afterEach(disposeMounts);

describe('pages of a blob', () => {
  test('stay when they are verified: a second reader costs no READ', async () => {
    mount = await MemoryMount.start({ [BLOB]: { content: right } });
    await readOnce();
    const before = await reads();
    for (let again = 0; again < 5; again += 1) expect(await readOnce()).toBe('r');
    expect(await reads()).toBe(before);
  });

  test('stay after a first read in full that ended verified', async () => {
    mount = await MemoryMount.start({
      [BLOB]: { content: right, verified: false, verifiedAtRelease: true },
    });
    await readOnce();
    await mount.alter(BLOB, { content: right });
    const before = await reads();
    expect(await readOnce()).toBe('r');
    expect(await reads()).toBe(before);
  });

  test('go at each open that is not verified, though size and time stay the same', async () => {
    mount = await MemoryMount.start({ [BLOB]: { content: wrong, verified: false } });
    for (const [letter, content] of [
      ['r', right],
      ['w', wrong],
      ['r', right],
      ['r', right],
      ['w', wrong],
    ] as const) {
      await mount.alter(BLOB, { content, verified: false });
      expect(await readOnce()).toBe(letter);
    }
  });

  test('of a bad blob go when the store has healed, also after an open that failed', async () => {
    mount = await MemoryMount.start({ [BLOB]: { content: wrong, verified: false } });
    expect(await readOnce()).toBe('w');
    await mount.alter(BLOB, { content: right, failOpen: 'EIO' });
    await expect(cat(BLOB)).rejects.toThrow(/Input\/output error/);
    await mount.alter(BLOB, { content: right });
    expect(await readOnce()).toBe('r');
  });

  test('go when a trusted blob is opened unverified, and may stay again afterwards', async () => {
    mount = await MemoryMount.start({ [BLOB]: { content: right } });
    await readOnce();
    await mount.alter(BLOB, { content: wrong, verified: false });
    expect(await readOnce()).toBe('w');
    await mount.alter(BLOB, { content: right });
    expect(await readOnce()).toBe('r');
    // libfuse drops once more, for it saw the time go back; then all is as before.
    await readOnce();
    const before = await reads();
    expect(await readOnce()).toBe('r');
    expect(await reads()).toBe(before);
  });

  test('go under a reader who maps the file', async () => {
    mount = await MemoryMount.start({ [BLOB]: { content: wrong, verified: false } });
    const reader = await Reader.open(mount.path(BLOB));
    expect(await reader.map()).toBe('w');
    await mount.alter(BLOB, { content: right, verified: false });
    expect(await letters(BLOB)).toBe('r');
    expect(await reader.map()).toBe('r');
    await reader.close();
  });

  test('the time of a file never moves', async () => {
    mount = await MemoryMount.start({ [BLOB]: { content: right, verified: false } });
    const stat = async () =>
      (await run('stat', ['-c', '%y %z %s', mount.path(BLOB)])).stdout.trim();
    const first = await stat();
    for (let again = 0; again < 5; again += 1) {
      const reader = await Reader.open(mount.path(BLOB));
      expect(await reader.seekToEnd()).toBe(PAGES);
      expect(await stat()).toBe(first);
      expect(Math.trunc(await reader.mtime())).toBe(981173106);
      await reader.read();
      expect(await stat()).toBe(first);
      await reader.close();
    }
  });
});

describe('an index.json that changes', () => {
  const INDEX = '/r/index.json';
  const version = (letter: string, size: number, mtime: number) => ({
    content: Buffer.alloc(size, letter),
    mtime,
  });

  // With names remembered by the kernel for long: only OPEN and GETATTR then reach us.
  test.each([
    ['grows', 100, 9000],
    ['shrinks', 9000, 100],
    ['keeps its size', 5000, 5000],
    ['becomes empty', 5000, 0],
    ['was empty', 0, 5000],
  ])('%s: the next reader has all of the new version', async (_, before, after) => {
    mount = await MemoryMount.start({ [INDEX]: version('a', before, 1e12) }, { refreshMs: 60_000 });
    expect(await cat(INDEX)).toBe('a'.repeat(before));
    await released();
    await mount.put(INDEX, version('b', after, 1e12 + 1));
    expect(await cat(INDEX)).toBe('b'.repeat(after));
    await released();
    await mount.put(INDEX, version('c', before, 1e12));
    expect(await cat(INDEX)).toBe('c'.repeat(before));
  });

  test.runIf(TEST_TRANSPORT === 'libfuse')(
    'a reader keeps its version, and so do those who come meanwhile',
    async () => {
      mount = await MemoryMount.start({ [INDEX]: version('a', 5000, 1e12) });
      const first = await Reader.open(mount.path(INDEX));
      await mount.put(INDEX, version('b', 7000, 2e12));
      const second = await Reader.open(mount.path(INDEX));
      expect(await first.read()).toBe('a'.repeat(5000));
      expect(await second.read()).toBe('a'.repeat(5000));
      expect(await first.size()).toBe(5000);
      expect((await run('stat', ['-c', '%s', mount.path(INDEX)])).stdout).toBe('5000\n');
      await first.close();
      await second.close();
      await released();
      expect((await run('stat', ['-c', '%s', mount.path(INDEX)])).stdout).toBe('7000\n');
      expect(await cat(INDEX)).toBe('b'.repeat(7000));
    },
  );

  test.runIf(TEST_TRANSPORT === 'kernel')(
    'a reader keeps its version, while those who come later have the new one',
    async () => {
      mount = await MemoryMount.start({ [INDEX]: version('a', 5000, 1e12) });
      const first = await Reader.open(mount.path(INDEX));
      await mount.put(INDEX, version('b', 7000, 2e12));
      const second = await Reader.open(mount.path(INDEX));
      expect(await second.read()).toBe('b'.repeat(7000));
      expect(await first.read()).toBe('a'.repeat(5000));
      expect(await first.size()).toBe(5000);
      expect((await run('stat', ['-c', '%s', mount.path(INDEX)])).stdout).toBe('7000\n');
      await first.close();
      await second.close();
      expect(await cat(INDEX)).toBe('b'.repeat(7000));
    },
  );

  test('versions that race with readers are never mixed', async () => {
    mount = await MemoryMount.start({ [INDEX]: version('a', 30_000, 1e12) });
    const stop = new AbortController();
    const writer = (async () => {
      for (let round = 0; !stop.signal.aborted; round += 1) {
        const letter = 'abcdefgh'[round % 8] ?? 'a';
        await mount.put(INDEX, version(letter, 20_000 + (round % 8) * 3000, 1e12 + round));
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    })();
    const seen = new Set<string>();
    for (let round = 0; round < 60; round += 1) {
      const texts = await Promise.all([cat(INDEX), cat(INDEX), cat(INDEX)]);
      for (const text of texts) {
        const letter = text[0] ?? '';
        expect(text).toBe(letter.repeat(20_000 + 'abcdefgh'.indexOf(letter) * 3000));
        seen.add(letter);
      }
    }
    stop.abort();
    await writer;
    expect(seen.size).toBeGreaterThan(2);
  });

  test('a file that appears is seen at once, one that is gone within the refresh interval', async () => {
    mount = await MemoryMount.start({ [INDEX]: version('a', 1, 1e12) }, { refreshMs: 300 });
    await expect(cat('/r/new')).rejects.toThrow(/No such file/);
    await mount.put('/r/new', version('n', 1, 1e12));
    expect(await cat('/r/new')).toBe('n');
    await mount.remove('/r/new');
    await new Promise((resolve) => setTimeout(resolve, 350));
    await expect(cat('/r/new')).rejects.toThrow(/No such file/);
  });
});
