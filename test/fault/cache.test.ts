import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, lstat, mkdir, open, rm, symlink, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { filesOf } from '../../src/blobs/disk/scan.js';
import type { WarmSummary } from '../../src/cli/warm-output.js';
import { keysOf } from '../images/layouts.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { type BlobCase, blobCase } from './support/blob-case.js';
import { LAYOUTFS, makeSandbox } from './support/command.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf } from './support/images.js';
import { EIO, readWhole, rightReading } from './support/whole-readers.js';

/** Mounts with a disk cache, and everything that can be wrong with it. */

const MiB = 1024 ** 2;
const BIG = blobCase('big', 20 * MiB);
const MIDDLE = blobCase('middle', 3 * MiB + 17);
const SMALL = blobCase('small', 5000);
const CASES = [BIG, MIDDLE, SMALL];

let store: FaultyStore;
let home: string;
let directory: string;
/** What a test began, ended before its directory is removed. */
const ends: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  const images = CASES.map(({ image }) => image);
  store = await startFaultyStore(keysOf(corpusOf({ 'team/app': images }), 'shared'));
});
afterAll(() => store.stop());
beforeEach(async () => {
  home = await makeTemporaryDirectory('cache');
  directory = join(home, 'cache');
});
afterEach(async () => {
  store.proxy.heal();
  await store.gate.open().catch(() => undefined);
  for (const end of ends.splice(0).reverse()) await end();
  await rm(home, { recursive: true, force: true });
});

async function mounted(...words: string[]): Promise<MountedLayoutfs> {
  const mount = await store.mount('--cache-dir', directory, '--cache-min-free', '0', ...words);
  ends.push(() => mount.unmount());
  return mount;
}

const path = (mount: MountedLayoutfs, blob: BlobCase) => blob.pathIn(mount.mountpoint, 'team/app');

/** Read all blobs whole, through a mount; each must be right. */
async function readAll(mount: MountedLayoutfs): Promise<void> {
  for (const blob of CASES) {
    expect(await readWhole('cat', path(mount, blob))).toEqual(rightReading(blob.hex));
  }
}

/** A cache that has all blobs, of a mount that has ended. */
async function fill(): Promise<void> {
  const mount = await mounted();
  await readAll(mount);
  await expect.poll(() => completeBlobs(), { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
  await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
  await mount.unmount();
}

const cachePath = ({ hex }: BlobCase) => join(directory, 'blobs/sha256', hex.slice(0, 2), hex);

async function isKept(blob: BlobCase): Promise<boolean> {
  return lstat(cachePath(blob)).then(
    ({ size }) => size === blob.bytes.length,
    () => false,
  );
}

async function cacheFiles(room = 'blobs'): Promise<string[]> {
  const files = [];
  for await (const file of filesOf(join(directory, room))) files.push(file.path);
  return files;
}

/** What partial blobs take of the disk; they are sparse. */
async function partialBytes(): Promise<number> {
  let bytes = 0;
  for (const file of await cacheFiles('partial')) {
    bytes += await lstat(file).then(
      ({ blocks }) => 512 * blocks,
      () => 0,
    );
  }
  return bytes;
}

const completeBlobs = async () => (await cacheFiles()).length;

/** GETs of the bytes of blobs. */
function blobRequests(): number {
  const keys = new Set(CASES.map(({ key }) => key));
  return store.proxy.requests.filter(({ key }) => keys.has(key)).length;
}

async function flip(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  const { size } = await handle.stat();
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, size >> 1);
  byte[0] = (byte[0] ?? 0) ^ 0x10;
  await handle.write(byte, 0, 1, size >> 1);
  await handle.close();
}

it('what was read once is never fetched again, also after a remount, and while the store is away', async () => {
  await fill();
  store.proxy.forget();
  const mount = await mounted();
  await readAll(mount);
  expect(blobRequests()).toBe(0);
  // Manifests are blobs: only whether the index is another one has to be asked.
  const gets = store.proxy.requests.filter(({ operation }) => operation === 'GET');
  expect(gets.filter(({ key }) => key.includes('blobs/'))).toEqual([]);
  expect(gets.map(({ key }) => key)).toContain('team/app/index.json');
  await store.gate.shut();
  await readAll(mount);
  const index = await runOk('cat', [join(mount.mountpoint, 'team/app/index.json')]);
  expect(index).toContain(BIG.image.descriptor.digest);
  expect(await mount.status()).toMatchObject({
    cache: { directory, openPartials: 0 },
    counters: { 'cache.damaged': 0, 'cache.error': 0 },
  });
});

it('what was not read whole is gone on with after a remount', async () => {
  const first = await mounted();
  const held = await HeldFile.open(path(first, BIG));
  expect(await held.read(0, 12 * MiB)).toBe(BIG.part(0, 12 * MiB));
  await expect.poll(partialBytes, { timeout: 20_000 }).toBeGreaterThan(8 * MiB);
  await held.close();
  await first.unmount();
  const second = await mounted();
  const before = (await second.status()).counters['store.bytes'];
  expect(await readWhole('cat', path(second, BIG))).toEqual(rightReading(BIG.hex));
  const fetched = (await second.status()).counters['store.bytes'] - before;
  expect(fetched).toBeLessThan(16 * MiB);
  await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
});

describe('damage is noticed, and the reader gets the right bytes', () => {
  it.each<[string, (file: string) => Promise<void>]>([
    ['flipped', flip],
    ['truncated', async (file) => truncate(file, (await lstat(file)).size >> 1)],
    ['emptied', (file) => truncate(file, 0)],
    ['owned by another user', (file) => chown(file, 12345, 12345)],
    ['writable by others', (file) => chmod(file, 0o666)],
    ['a link', (file) => unlink(file).then(() => symlink('/etc/hostname', file))],
    ['removed', (file) => unlink(file)],
  ])('every file %s between two mounts', async (_, damage) => {
    await fill();
    for (const file of await cacheFiles()) await damage(file);
    const mount = await mounted();
    await readAll(mount);
    await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
    await mount.unmount();
    store.proxy.forget();
    const again = await mounted();
    await readAll(again);
    expect(blobRequests()).toBe(0);
    const verified = await run(LAYOUTFS, ['cache', 'verify', '--cache-dir', directory]);
    expect(verified).toMatchObject({ code: 0 });
  });

  it('every record and every partial blob', async () => {
    await fill();
    for (const file of await cacheFiles('records')) await flip(file);
    await unlink(cachePath(BIG));
    const first = await mounted();
    const held = await HeldFile.open(path(first, BIG));
    await held.read(0, 6 * MiB);
    await held.close();
    await expect.poll(async () => (await cacheFiles('partial')).length).toBe(1);
    await first.unmount();
    for (const file of await cacheFiles('partial')) {
      const handle = await open(file, 'r+');
      // Somewhere in each part.
      for (let at = 100; at < 20 * MiB; at += MiB / 2)
        await handle.write(Buffer.from('no'), 0, 2, at);
      await handle.close();
    }
    await readAll(await mounted());
  });

  it('a file that is flipped while it is mounted, at the next open', async () => {
    await fill();
    const mount = await mounted();
    await readAll(mount);
    await sleep(20);
    for (const file of await cacheFiles()) await flip(file);
    await readAll(mount);
    await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
    await readAll(await mounted());
  });

  it('a flipped bit on the way from the store is not kept', async () => {
    const mount = await mounted();
    store.proxy.add({ kind: 'flipBit', offset: 1_000_000 }, { key: MIDDLE.key });
    expect(await readWhole('cat', path(mount, MIDDLE))).toEqual(EIO);
    await mount.unmount();
    expect(await isKept(MIDDLE)).toBe(false);
    store.proxy.heal();
    await readAll(await mounted());
  });
});

describe('a disk that is no good makes it slower, nothing else', () => {
  it('a full one', async () => {
    await onDisk('size=2m');
    const mount = await mounted();
    expect(await readWhole('cat', path(mount, BIG))).toEqual(rightReading(BIG.hex));
    expect((await mount.status()).cache?.trouble).toMatch(/full/);
    // The smallest fits all the same.
    await readAll(mount);
    // Once for each reason, not once for each part.
    const told = (await mount.log()).match(/takes nothing more for now[^"]*/g) ?? [];
    expect(told.length).toBeGreaterThan(0);
    expect(told.length).toBe(new Set(told).size);
    await readAll(await mounted());
  });

  it('a read-only one: what is there is served', async () => {
    const remount = await onDisk('size=64m');
    await fill();
    await unlink(cachePath(SMALL));
    remount('ro');
    store.proxy.forget();
    const mount = await mounted();
    await readAll(mount);
    const requests = store.proxy.requests.filter(({ key }) => key === SMALL.key).length;
    expect({ all: blobRequests(), requests }).toEqual({ all: 1, requests: 1 });
  });

  it('one that is taken away while it is mounted', async () => {
    await fill();
    const mount = await mounted();
    expect(await readWhole('cat', path(mount, SMALL))).toEqual(rightReading(SMALL.hex));
    await rm(directory, { recursive: true });
    await readAll(mount);
    expect(await lstat(directory).catch(() => 'gone')).toBe('gone');
  });

  it('a cache that is smaller than what is read', async () => {
    const mount = await mounted('--cache-size', '4MiB');
    await readAll(mount);
    await readAll(await mounted('--cache-size', '4MiB'));
    const bytes = Number((await runOk('du', ['-sB1', directory])).split('\t')[0]);
    expect(bytes).toBeLessThan(6 * MiB);
  });
});

it('two mounts share one directory', async () => {
  const [one, other] = await Promise.all([mounted(), mounted()]);
  const readings = await Promise.all(
    [one, other, one, other].map((mount) => readWhole('cat', path(mount, BIG))),
  );
  for (const reading of readings) expect(reading).toEqual(rightReading(BIG.hex));
  await Promise.all([readAll(one), readAll(other)]);
  await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
  await one.unmount();
  store.proxy.forget();
  const third = await mounted();
  await Promise.all([readAll(third), readAll(other)]);
  expect(store.proxy.requests.filter(({ key }) => key === BIG.key)).toEqual([]);
});

it('a daemon that is killed in the middle of a blob leaves nothing wrong', async () => {
  for (let round = 0; round < 3; round++) {
    const sandbox = await makeSandbox({ env: store.env });
    await sandbox.mount(store.source, '--cache-dir', directory, '--cache-min-free', '0');
    const reading = readWhole('cat', BIG.pathIn(sandbox.mountpoint, 'team/app'));
    await sleep(40 + 80 * round);
    const { stdout } = await sandbox.layoutfs('status', sandbox.mountpoint, '--json');
    process.kill((JSON.parse(stdout) as { pid: number }).pid, 'SIGKILL');
    await reading;
    await run('umount', ['-l', sandbox.mountpoint]);
  }
  const mount = await mounted();
  await readAll(mount);
  await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
  const verified = await run(LAYOUTFS, ['cache', 'verify', '--cache-dir', directory]);
  expect(verified).toMatchObject({ code: 0 });
});

it.each<[string, () => Promise<unknown>, RegExp]>([
  ['others may write to', () => mkdir(directory).then(() => chmod(directory, 0o777)), /chmod go-w/],
  [
    'holds something else',
    () => mkdir(join(directory, 'letters'), { recursive: true }),
    /such as letters/,
  ],
])('a directory that %s is refused before anything is mounted', async (_, make, message) => {
  await make();
  const sandbox = await makeSandbox({ env: store.env });
  const { code, stderr } = await sandbox.mount(store.source, '--cache-dir', directory);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) as string });
});

describe('layoutfs warm', () => {
  const warm = async (...words: string[]) => {
    const outcome = await run(LAYOUTFS, ['warm', '--json', ...words], { env: store.env });
    return { ...outcome, ...(JSON.parse(outcome.stdout || '{}') as Partial<WarmSummary>) };
  };
  const bytesOf = ({ key }: BlobCase) =>
    store.proxy.requests.reduce((sum, seen) => sum + (seen.key === key ? seen.bytes : 0), 0);

  it('fills the cache of a mount', async () => {
    const mount = await mounted();
    expect(await warm(mount.mountpoint, 'team/*')).toMatchObject({ code: 0, stderr: '' });
    await expect.poll(() => isKept(BIG), { timeout: 10_000 }).toBe(true);
    store.proxy.forget();
    await readAll(mount);
    expect(blobRequests()).toBe(0);
  });

  it('names what it could not fetch through a mount, and the image that needs it', async () => {
    const mount = await mounted();
    store.proxy.add({ kind: 'flipBit', offset: 1_000_000 }, { key: MIDDLE.key });
    const { code, failed } = await warm(mount.mountpoint, 'team/app');
    const digest = `sha256:${MIDDLE.hex}`;
    expect({ code, failed }).toMatchObject({ code: 1, failed: [{ digest }] });
    expect(failed?.[0]?.images).toEqual([`team/app:${MIDDLE.image.tag}`]);
  });

  it('that is interrupted says so, and goes on the next time with what is missing', async () => {
    const source = ['--cache-dir', directory, '--cache-min-free', '0', store.source];
    const words = [...source, `team/app:${BIG.image.tag}`, '--state-dir', join(home, 'state')];
    store.proxy.forget();
    const isLate = ({ range = '' }: { range: string | undefined }) =>
      Number(/=(\d+)/.exec(range)?.[1]) > 10 * MiB;
    store.proxy.add({ kind: 'hangBeforeHead' }, { key: BIG.key, where: isLate });
    const child = spawn(LAYOUTFS, ['warm', ...words], {
      env: { ...process.env, ...store.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = text(child.stderr);
    const ended = once(child, 'exit');
    await expect.poll(partialBytes, { timeout: 20_000 }).toBeGreaterThan(8 * MiB);
    child.kill('SIGINT');
    expect(await ended).toEqual([1, null]);
    expect(await said).toMatch(
      /^layoutfs: Interrupted\..* the same command goes on from there\.\n$/,
    );
    store.proxy.heal();
    store.proxy.forget();
    expect(await warm(...words)).toMatchObject({ code: 0, failed: [] });
    expect(bytesOf(BIG)).toBeLessThan(16 * MiB);
    expect(await isKept(BIG)).toBe(true);
    store.proxy.forget();
    expect(await warm(...words)).toMatchObject({ code: 0, fetched: { blobs: 0 } });
    expect(bytesOf(BIG)).toBe(0);
  });
});

/** Make the cache directory a small disk of its own. @returns how to mount it otherwise */
async function onDisk(options: string): Promise<(how: string) => void> {
  await mkdir(directory);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=0700,${options}`, 'layoutfs-test', directory]);
  ends.push(() => run('umount', ['-l', directory]));
  return (how) => execFileSync('mount', ['-o', `remount,${how}`, directory]);
}
