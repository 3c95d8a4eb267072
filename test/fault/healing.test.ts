import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { keysOf } from '../images/layouts.js';
import { sha256 } from '../images/corpus.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { runOk } from '../support/run.js';
import { type BlobCase, blobCase } from './support/blob-case.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf } from './support/images.js';
import { EIO, readWhole, rightReading } from './support/whole-readers.js';

const MiB = 1024 ** 2;
const SIZE = 20 * MiB;
const REFRESH_MS = 1000;

/** A blob of its own for each test: one that was verified before is treated otherwise. */
const BLOBS = {
  partial: blobCase('partial', SIZE),
  held: blobCase('held', SIZE),
  halfRead: blobCase('half-read', SIZE),
  twoPaths: blobCase('two-paths', SIZE),
  puzzle: blobCase('puzzle', SIZE),
  pages: blobCase('pages', SIZE),
  together: blobCase('together', SIZE),
  small: blobCase('small', 70_000),
  evicted: blobCase('evicted', SIZE),
};
const images = Object.values(BLOBS).map(({ image }) => image);

let store: FaultyStore;
let mount: MountedLayoutfs;
const held: HeldFile[] = [];

beforeAll(async () => {
  store = await startFaultyStore(
    keysOf(corpusOf({ 'team/app': images, 'team/copy': images }), 'shared'),
  );
  // 12 MiB for parts: three of the five that a blob here has, so that they are fetched again.
  mount = await store.mount('--memory', '16MiB', '--refresh', `${REFRESH_MS}ms`);
});
afterEach(async () => {
  store.proxy.heal();
  await Promise.all(held.splice(0).map((file) => file.close()));
});
afterAll(async () => {
  await mount.unmount();
  await store.stop();
});

it('what a partial reader was given of a bad blob is not in the way once it heals', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.partial);
  flip(blob, 50_000);
  const given = await runOk('sh', ['-c', 'head -c 100000 "$1" | sha256sum', 'sh', app]);
  // It did get wrong bytes: a partial read cannot be promised more.
  expect(given).not.toContain(hashOf(blob, 0, 100_000));
  store.proxy.heal();
  // Memory keeps what is not proven for the refresh interval only.
  await sleep(REFRESH_MS + 100);
  expect(await readWhole('sha256sum', app)).toEqual(rightReading(blob.hex));
  expect(await readWhole('sha256sum', copy)).toEqual(rightReading(blob.hex));
  expect(await runOk('sh', ['-c', 'head -c 100000 "$1" | sha256sum', 'sh', app])).toContain(
    hashOf(blob, 0, 100_000),
  );
});

it('a reader that keeps its handle over the healing keeps getting EIO', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.held);
  flip(blob, 17 * MiB);
  const reader = await open(app);
  expect(await reader.read(0, MiB)).toBe(blob.part(0, MiB));
  expect(await reader.read(MiB, SIZE)).toBe('EIO');

  store.proxy.heal();
  for (const offset of [2 * MiB, 9 * MiB, 18 * MiB, SIZE - 1]) {
    // Pages that the kernel has from before are right or wrong; the rest is not to be had.
    expect(['EIO', blob.part(offset, 1)], `at ${offset}`).toContain(await reader.read(offset, 1));
  }
  expect(await reader.read(0, SIZE)).toBe('EIO');
  // While it is poisoned nobody opens the blob, by whichever path.
  expect(await readWhole('cat', app)).toEqual(EIO);
  expect(await readWhole('cat', copy)).toEqual(EIO);

  await reader.close();
  expect(await readWhole('cat', app)).toEqual(rightReading(blob.hex));
  expect(await readWhole('cat', copy)).toEqual(rightReading(blob.hex));
});

it('a reader that had the blob half read when it healed gets EIO, and the next one the bytes', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.halfRead);
  flip(blob, 1000);
  const reader = await open(app);
  expect(await reader.read(0, 10 * MiB)).toMatch(/^\d+ /);
  store.proxy.heal();
  expect(await reader.read(10 * MiB, 10 * MiB)).toBe('EIO');
  await reader.close();
  expect(await readWhole('sha256sum', app)).toEqual(rightReading(blob.hex));
  expect(await readWhole('mmap', copy)).toEqual(rightReading(blob.hex));
});

it('the bad part given to one path and the rest to the other make no whole blob', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.twoPaths);
  flip(blob, 100);
  const first = await open(app);
  expect(await first.read(0, 12 * MiB)).toMatch(/^\d+ /);
  store.proxy.heal();
  const second = await open(copy);
  expect(await second.read(12 * MiB, 8 * MiB)).toBe('EIO');
  await first.close();
  await second.close();
  expect(await readWhole('cat', app)).toEqual(rightReading(blob.hex));
  expect(await readWhole('cat', copy)).toEqual(rightReading(blob.hex));
});

it('bytes fetched before and after the healing are never put together', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.puzzle);
  const wrong = flip(blob, 6 * MiB);
  const first = await open(app);
  // The bad part goes to a reader, and is pushed out of memory by what follows.
  expect(await first.read(4 * MiB, 4 * MiB)).not.toBe(blob.part(4 * MiB, 4 * MiB));
  expect(wrong.hits).toBeGreaterThan(0);
  store.proxy.heal();
  const second = await open(copy);
  const pieces: string[] = [];
  for (const offset of [8, 12, 16, 0, 4]) pieces.push(await second.read(offset * MiB, 4 * MiB));
  // Fetched anew it is right, but then it is not what the first reader was given.
  expect(pieces).toContain('EIO');
  await first.close();
  await second.close();
  expect(await readWhole('cat', copy)).toEqual(rightReading(blob.hex));
  expect(await readWhole('cat', app)).toEqual(rightReading(blob.hex));
});

it('readers that open it at the same moment get no whole bad blob between them', async () => {
  const { app, blob } = pathsOf(BLOBS.together);
  store.proxy.add({ kind: 'delay', ms: 1000 }, { operation: 'GET', key: blob.key, times: 1 });
  flip(blob, 12);
  const [first, second] = await Promise.all([open(app), open(app)]);
  expect(await first.read(0, 10 * MiB)).toMatch(/^\d+ /);
  expect(await second.read(10 * MiB, 10 * MiB)).toBe('EIO');
});

it('pages that the kernel kept of a bad blob are gone when it is opened again', async () => {
  const { app, blob } = pathsOf(BLOBS.pages);
  flip(blob, 0);
  const reader = await open(app);
  const wrong = await reader.read(0, 4096);
  expect(wrong).not.toBe(blob.part(0, 4096));
  expect(await reader.read(0, SIZE)).toBe('EIO');
  // The kernel still gives it the page that it has.
  expect([wrong, 'EIO']).toContain(await reader.read(0, 4096));
  await reader.close();
  store.proxy.heal();
  const next = await open(app);
  expect(await next.read(0, 4096)).toBe(blob.part(0, 4096));
  expect(await next.read(0, SIZE)).toBe(blob.part(0, SIZE));
});

it('a small blob, mapped or read directly by many at once, heals for all', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.small);
  flip(blob, 69_999);
  const everybody = () =>
    Promise.all(
      (['mmap', 'dd iflag=direct', 'cat'] as const).flatMap((reader) => [
        readWhole(reader, app),
        readWhole(reader, copy),
      ]),
    );
  expect(await everybody()).toEqual(Array.from({ length: 6 }, () => EIO));
  store.proxy.heal();
  expect(await everybody()).toEqual(Array.from({ length: 6 }, () => rightReading(blob.hex)));
});

it('a blob that was right once and is fetched again wrong is not served', async () => {
  const { app, copy, blob } = pathsOf(BLOBS.evicted);
  expect(await readWhole('dd iflag=direct', app)).toEqual(rightReading(blob.hex));
  const once = store.proxy.add(
    { kind: 'flipBit', offset: MiB },
    { operation: 'GET', key: blob.key, times: 1 },
  );
  // Direct reads pass by the kernel's pages, and memory no longer has every part.
  expect(await readWhole('dd iflag=direct', app)).toEqual(rightReading(blob.hex));
  expect(once.hits).toBe(1);
  flip(blob, MiB);
  expect(await readWhole('dd iflag=direct', copy)).toEqual(EIO);
  store.proxy.heal();
  expect(await readWhole('dd iflag=direct', copy)).toEqual(rightReading(blob.hex));
});

interface Paths {
  readonly app: string;
  readonly copy: string;
  readonly blob: BlobCase;
}

function pathsOf(blob: BlobCase): Paths {
  return {
    app: blob.pathIn(mount.mountpoint, 'team/app'),
    copy: blob.pathIn(mount.mountpoint, 'team/copy'),
    blob,
  };
}

function flip(blob: BlobCase, offset: number) {
  return store.proxy.add({ kind: 'flipBit', offset }, { operation: 'GET', key: blob.key });
}

async function open(path: string): Promise<HeldFile> {
  const file = await HeldFile.open(path);
  held.push(file);
  return file;
}

function hashOf({ bytes }: BlobCase, offset: number, length: number): string {
  return sha256(bytes.subarray(offset, offset + length)).slice('sha256:'.length);
}
