import { lstat, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';

import type { MountStatus } from '../../src/daemon/status.js';
import { HeldFile } from '../fault/support/held-file.js';
import { corpusOf, makeImage, seededBytes, sharedKey } from '../fault/support/images.js';
import { sha256 } from '../images/corpus.js';
import { keysOf } from '../images/layouts.js';
import { type LocalBucket, localBucket } from '../support/local-bucket.js';
import { type MountedLayoutfs, mountLayoutfs } from '../support/mount.js';
import { makePlainDirectory, NO_PLAIN_DIRECTORY } from '../support/plain-directory.js';
import { run, runOk } from '../support/run.js';

/** Blobs of the disk cache, which the kernel reads by itself: the command, from end to end. */

const MiB = 1024 ** 2;
const LAYER = seededBytes('passthrough', 9 * MiB + 123);
const DIGEST = sha256(LAYER);
const HEX = DIGEST.slice('sha256:'.length);
const IMAGE = makeImage('v1', [LAYER]);
/** Something else, for which a small cache has to make room. */
const OTHER = seededBytes('other', 700_000);
const CORPUS = corpusOf({
  one: [IMAGE],
  'team/other': [IMAGE],
  more: [makeImage('v2', [OTHER])],
});
const LAYOUTFS = join(import.meta.dirname, '../../bin/layoutfs');

let bucket: LocalBucket;
let home: string;
let directory: string;
let mounts: MountedLayoutfs[];
let helds: HeldFile[];
beforeEach(async ({ skip }) => {
  mounts = [];
  helds = [];
  home = (await makePlainDirectory('passthrough')) ?? skip(NO_PLAIN_DIRECTORY);
  directory = join(home, 'cache');
  bucket = await localBucket(Object.fromEntries(keysOf(CORPUS, 'shared')));
});
afterEach(async () => {
  for (const held of helds.splice(0)) await held.close();
  for (const mount of mounts.splice(0)) await mount.unmount();
  await bucket.remove();
  await rm(home, { recursive: true, force: true });
});

async function mounted(...words: string[]): Promise<MountedLayoutfs> {
  const own = ['--cache-dir', directory, '--cache-min-free', '0', '--transport', 'kernel'];
  const mount = await mountLayoutfs(bucket.directory, { arguments: [...own, ...words] });
  mounts.push(mount);
  return mount;
}

async function hold(file: string): Promise<HeldFile> {
  const held = await HeldFile.open(file);
  helds.push(held);
  return held;
}

const unmount = async (mount: MountedLayoutfs): Promise<void> => {
  mounts.splice(mounts.indexOf(mount), 1);
  await mount.unmount();
};

const path = (mount: MountedLayoutfs, repository = 'one', hex = HEX): string =>
  join(mount.mountpoint, repository, 'blobs/sha256', hex);
const cachePath = (): string => join(directory, 'blobs/sha256', HEX.slice(0, 2), HEX);
const isKept = (): Promise<boolean> =>
  lstat(cachePath()).then(
    ({ size }) => size === LAYER.length,
    () => false,
  );

/** SHA-256 of what a program of its own reads. */
const hash = async (file: string): Promise<string> =>
  (await runOk('sha256sum', [file])).split(' ')[0] ?? '';
const mapped = (file: string): Promise<string> =>
  runOk('python3', [
    '-c',
    `import hashlib, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as bytes:
    print(hashlib.sha256(bytes).hexdigest(), end='')`,
    file,
  ]);

const dropAllPages = () => run('sh', ['-c', 'echo 3 >/proc/sys/vm/drop_caches']);

const readsOf = ({ requests, counters }: MountStatus) => ({
  READ: requests['read'] ?? 0,
  store: counters['store.get'],
});

/** A cache that has all of the image, of a mount that has ended. */
async function fill(): Promise<void> {
  await runOk(LAYOUTFS, [
    'warm',
    ...['--cache-dir', directory, '--cache-min-free', '0', '--state-dir', join(home, 'state')],
    ...[bucket.directory, 'one:v1'],
  ]);
  expect(await isKept()).toBe(true);
}

/** Nothing of it can be fetched any more. */
const loseLayer = (): Promise<void> => rm(join(bucket.directory, sharedKey(DIGEST)));

async function flip(): Promise<void> {
  const file = await open(cachePath(), 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, MiB);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await file.write(byte, 0, 1, MiB);
  await file.close();
}

it('what was read once is read by the kernel at the next open', async () => {
  const mount = await mounted();
  expect(await hash(path(mount))).toBe(HEX);
  const cold = readsOf(await mount.status());
  expect(cold.READ).toBeGreaterThan(0);
  expect(cold.store).toBeGreaterThan(0);
  // At once, when it may not be on the disk yet.
  expect(await hash(path(mount))).toBe(HEX);
  await expect.poll(isKept, { timeout: 10_000 }).toBe(true);
  const reads = async () => {
    await dropAllPages();
    const before = readsOf(await mount.status());
    expect(await hash(path(mount))).toBe(HEX);
    return readsOf(await mount.status()).READ - before.READ;
  };
  // Although it is opened all the time.
  await expect.poll(reads, { timeout: 5000, interval: 100 }).toBe(0);
  const before = readsOf(await mount.status());
  await loseLayer();
  await dropAllPages();
  expect(await hash(path(mount))).toBe(HEX);
  expect(await mapped(path(mount))).toBe(HEX);
  expect(readsOf(await mount.status())).toEqual(before);
}, 90_000);

it('after a remount, without the store, by read and mmap, and through every repository', async () => {
  await fill();
  await loseLayer();
  const mount = await mounted();
  await runOk('cat', [join(mount.mountpoint, 'one/index.json')]);
  await runOk('ls', [join(mount.mountpoint, 'one/blobs/sha256')]);
  await runOk('ls', [join(mount.mountpoint, 'team/other/blobs/sha256')]);
  const before = readsOf(await mount.status());
  expect(await mapped(path(mount))).toBe(HEX);
  expect(await hash(path(mount))).toBe(HEX);
  expect(await hash(path(mount, 'team/other'))).toBe(HEX);
  expect(await mapped(path(mount, 'team/other'))).toBe(HEX);
  expect(readsOf(await mount.status())).toEqual(before);
});

it('neither "cache prune", nor a mount that makes room, nor rm breaks what is open', async () => {
  await fill();
  await loseLayer();
  const mount = await mounted();
  const held = await hold(path(mount));
  const whole = `${LAYER.length} ${HEX}`;
  expect(await held.read(0, LAYER.length)).toBe(whole);
  const small = await mounted('--cache-size', '1MiB');
  const other = sha256(OTHER).slice('sha256:'.length);
  expect(await hash(path(small, 'more', other))).toBe(other);
  const evicted = async () => (await small.status()).counters['cache.evicted'];
  await expect.poll(evicted, { timeout: 20_000, interval: 500 }).toBeGreaterThan(0);
  await runOk(LAYOUTFS, ['cache', 'prune', '--all', '--cache-dir', directory]);
  expect(await isKept()).toBe(true);
  // Not even who takes the directory away.
  await rm(directory, { recursive: true });
  expect(await held.read(0, LAYER.length)).toBe(whole);
  expect(readsOf(await mount.status()).READ).toBe(0);
});

it.each([
  ['while it is not mounted', false],
  ['while it is mounted, before an open', true],
])('a bit that is flipped %s is noticed at the next open', async (_, isMounted) => {
  await fill();
  const early = isMounted ? await mounted() : undefined;
  if (early !== undefined) expect(await hash(path(early))).toBe(HEX);
  // The clock of files of kernels before 6.13 has ticked.
  await sleep(20);
  await flip();
  const mount = early ?? (await mounted());
  expect(await hash(path(mount))).toBe(HEX);
  expect((await mount.status()).counters['cache.damaged']).toBe(1);
  await expect.poll(isKept, { timeout: 10_000 }).toBe(true);
  expect(await hash(cachePath())).toBe(HEX);
});

it('two daemons on one directory: what one has read, the kernel reads for both', async () => {
  const [one, other] = [await mounted(), await mounted()];
  expect(await hash(path(one))).toBe(HEX);
  await expect.poll(isKept, { timeout: 10_000 }).toBe(true);
  await runOk('ls', [join(other.mountpoint, 'one/blobs/sha256')]);
  const before = readsOf(await other.status());
  expect(await hash(path(other))).toBe(HEX);
  expect(readsOf(await other.status())).toEqual(before);
  const held = await hold(path(other));
  await unmount(one);
  await runOk(LAYOUTFS, ['cache', 'prune', '--all', '--cache-dir', directory]);
  expect(await held.read(0, LAYER.length)).toBe(`${LAYER.length} ${HEX}`);
  expect(await readdir(directory)).toContain('layoutfs-cache');
});
