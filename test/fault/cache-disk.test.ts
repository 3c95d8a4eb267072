import { execFileSync } from 'node:child_process';
import { type FileHandle, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { LocalDiskCache } from '../../src/blobs/disk/local-disk-cache.js';
import { blobPath } from '../../src/blobs/disk/paths.js';
import type { Log } from '../../src/observe/log.js';
import { silentLog } from '../../src/observe/log.js';
import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { keep, openTestCache, readCached, testContent } from '../support/test-cache.js';

/** A cache on a disk that fails: blobs that are there are served, and nothing else is worse. */

/** A small disk of its own, and a way to change how it is mounted. */
async function makeDisk(options: string) {
  const home = await makeTemporaryDirectory('disk');
  const disk = join(home, 'disk');
  await mkdir(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=0700,${options}`, 'layoutfs-test', disk]);
  onTestFinished(async () => {
    await run('umount', ['-l', disk]);
    await rm(home, { recursive: true, force: true });
  });
  return {
    disk,
    remount: (how: string) => execFileSync('mount', ['-o', `remount,${how}`, disk]),
  };
}

/** A log that keeps its warnings. */
function listening(): { log: Log; warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, log: { ...silentLog, warn: (_, message) => warnings.push(message) } };
}

const contents = Array.from({ length: 12 }, (_, seed) => testContent(150_000, seed + 1));
const PART = 16 * 1024;

/** Keep all of `contents`; answers how many were kept. */
async function keepAll(cache: LocalDiskCache): Promise<number> {
  let kept = 0;
  for (const content of contents) {
    const blob = await keep(cache, content);
    if (blob !== undefined) kept++;
    blob?.close();
  }
  return kept;
}

it('a full disk: what fits is kept, the rest is not, and it is said once', async () => {
  const { disk } = await makeDisk('size=1m');
  const { log, warnings } = listening();
  const directory = join(disk, 'cache');
  const { cache, counters } = await openTestCache(directory, { partSize: PART, log, pauseMs: 0 });
  const kept = await keepAll(cache);
  expect(kept).toBeGreaterThan(3);
  expect(kept).toBeLessThan(contents.length);
  // The rest of the room may go to parts and to small things, until nothing goes.
  await keepAll(cache);
  expect(warnings).toEqual([expect.stringContaining('its disk is full')]);
  expect(counters.get('cache.error')).toBeGreaterThan(1);
  let hits = 0;
  for (const { bytes, name } of contents) {
    const read = await readCached(cache, name);
    if (read === undefined) continue;
    expect(read.equals(bytes)).toBe(true);
    hits++;
  }
  expect(hits).toBeGreaterThanOrEqual(kept);
});

it('a disk that somebody else fills: room is made, and tried again once there is some', async () => {
  const { disk } = await makeDisk('size=1500k');
  const { log, warnings } = listening();
  const options = { partSize: PART, log, pauseMs: 0, minFreeBytes: 200_000 };
  const { cache, counters } = await openTestCache(join(disk, 'cache'), options);
  expect(await keepAll(cache)).toBe(contents.length);
  expect(counters.get('cache.evicted')).toBeGreaterThan(0);
  expect(warnings).toEqual([]);
  const other = join(disk, 'other');
  await cache.close();
  await rm(join(disk, 'cache/blobs'), { recursive: true });
  await expect(writeFile(other, Buffer.alloc(2_000_000))).rejects.toThrow('ENOSPC');
  const next = await openTestCache(join(disk, 'cache'), options);
  expect(await keepAll(next.cache)).toBe(0);
  expect(next.cache.status().trouble).toBeDefined();
  await rm(other);
  await expect.poll(() => keepAll(next.cache), { timeout: 10_000 }).toBe(contents.length);
  expect(next.cache.status().trouble).toBeUndefined();
});

it('a disk that turns read-only: what is there is served, also to a cache opened then', async () => {
  const { disk, remount } = await makeDisk('size=4m');
  const { log, warnings } = listening();
  const options = { partSize: PART, log, pauseMs: 0 };
  const { cache } = await openTestCache(join(disk, 'cache'), options);
  const [first = testContent(1), second = testContent(1), third = testContent(1)] = contents;
  (await keep(cache, first))?.close();
  (await keep(cache, second))?.close();
  const partial = await cache.openPartial(third.name);
  await partial?.write(0, third.bytes.subarray(0, PART));
  // A file that is open for writing keeps a disk from turning read-only.
  await partial?.close();
  await damage(blobPath(join(disk, 'cache'), second.name.digest));
  remount('ro');
  const later = await openTestCache(join(disk, 'cache'), options);
  for (const one of [cache, later.cache, cache, later.cache]) {
    expect((await readCached(one, first.name))?.equals(first.bytes)).toBe(true);
    expect(await one.open(second.name)).toBeUndefined();
    expect(await keep(one, third)).toBeUndefined();
  }
  // It cannot be removed, nor is it hashed at every open.
  expect(later.counters.get('cache.rehashed')).toBe(1);
  expect(new Set(warnings)).toContainEqual(expect.stringContaining('its disk is read-only'));
  remount('rw');
  (await keep(cache, third))?.close();
  // Whoever wants it looks for it first, and so it is removed.
  expect(await cache.open(second.name)).toBeUndefined();
  (await keep(cache, second))?.close();
  expect((await readCached(cache, second.name))?.equals(second.bytes)).toBe(true);
  expect((await readCached(later.cache, third.name))?.equals(third.bytes)).toBe(true);
});

it('a disk that is unmounted: blobs are missed, and nothing is written where it was', async () => {
  const { disk } = await makeDisk('size=4m');
  const { log, warnings } = listening();
  const { cache } = await openTestCache(disk, { partSize: PART, log, pauseMs: 0 });
  const [first = testContent(1), second = testContent(1)] = contents;
  (await keep(cache, first))?.close();
  await expect.poll(() => cache.status().openBlobs).toBe(0);
  execFileSync('umount', ['-l', disk]);
  expect(await cache.open(first.name)).toBeUndefined();
  expect(await keep(cache, second)).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining('it is gone')]);
  expect(execFileSync('ls', ['-A', disk], { encoding: 'utf8' })).toBe('');
});

it('a process without file descriptors left: blobs are missed, and found again later', async () => {
  const home = await makeTemporaryDirectory('disk');
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const program = `
    import { open } from 'node:fs/promises';
    import { openDiskCache } from './dist/blobs/disk/local-disk-cache.js';
    import { Counters } from './dist/observe/counters.js';
    const warnings = [];
    const log = { warn: (_, message) => warnings.push(message), info() {}, debug() {}, error() {} };
    const counters = new Counters();
    const cache = await openDiskCache({ directory: ${JSON.stringify(join(home, 'cache'))},
      maxBytes: 1e9, minFreeBytes: 0, log, counters, pauseMs: 0 });
    const name = {
      digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', size: 5 };
    const partial = await cache.openPartial(name);
    await partial.write(0, Buffer.from('hello'));
    (await partial.complete()).close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const files = [];
    for (;;) try { files.push(await open('/dev/null')); } catch { break; }
    const without = await cache.open(name);
    const other = await cache.openPartial({ ...name, digest: name.digest.replace(':2', ':3') });
    for (const file of files) await file.close();
    const again = await cache.open(name);
    process.stdout.write(JSON.stringify([without === undefined, other === undefined,
      again !== undefined, warnings.length, counters.get('cache.error')]));
    again?.close();
    await cache.close();
  `;
  const node = [process.execPath, '--input-type=module', '-e', program];
  const { code, stdout, stderr } = await run('prlimit', ['--nofile=100:100', ...node], {
    cwd: join(import.meta.dirname, '../..'),
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual([true, true, true, 2, 2]);
});

async function damage(path: string): Promise<void> {
  const file: FileHandle = await open(path, 'r+');
  await file.write(Buffer.from([0xff, 0xee]), 0, 2, 70_000);
  await file.close();
}
