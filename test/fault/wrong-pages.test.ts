import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { keysOf } from '../images/layouts.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { blobCase } from './support/blob-case.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf } from './support/images.js';
import { EIO, readWhole, rightReading } from './support/whole-readers.js';

/**
 * Pages of wrong bytes, over the transport `kernel`, which tells the kernel to drop them: nobody
 * finds them any more, not even who has had them.
 */

const MiB = 1024 ** 2;
const SIZE = 8 * MiB;
const BLOBS = { held: blobCase('held-pages', SIZE), mapped: blobCase('mapped-pages', SIZE) };
const images = Object.values(BLOBS).map(({ image }) => image);

let store: FaultyStore;
let mount: MountedLayoutfs;
const held: HeldFile[] = [];
const mappings: ChildProcess[] = [];

beforeAll(async () => {
  store = await startFaultyStore(keysOf(corpusOf({ 'team/app': images }), 'shared'));
  mount = await store.mount('--transport', 'kernel');
});
afterEach(async () => {
  store.proxy.heal();
  for (const child of mappings.splice(0)) child.kill('SIGKILL');
  await Promise.all(held.splice(0).map((file) => file.close()));
});
afterAll(async () => {
  await mount.unmount();
  await store.stop();
});

it('are gone for a reader that still has the blob open, and for the next once it heals', async () => {
  const path = BLOBS.held.pathIn(mount.mountpoint, 'team/app');
  store.proxy.add({ kind: 'flipBit', offset: 5 }, { operation: 'GET', key: BLOBS.held.key });
  const reader = await HeldFile.open(path);
  held.push(reader);
  expect(await reader.read(0, 4096)).not.toBe(BLOBS.held.part(0, 4096));
  expect(await reader.read(0, SIZE)).toBe('EIO');
  // The page that it was given is not to be had any more.
  await expect.poll(() => reader.read(0, 4096)).toBe('EIO');
  store.proxy.heal();
  await reader.close();
  expect(await readWhole('cat', path)).toEqual(rightReading(BLOBS.held.hex));
});

it('are gone for who has them mapped', async () => {
  const path = BLOBS.mapped.pathIn(mount.mountpoint, 'team/app');
  store.proxy.add({ kind: 'flipBit', offset: 5 }, { operation: 'GET', key: BLOBS.mapped.key });
  const child = spawn('python3', ['-c', MAP, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  mappings.push(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const wrong = Number((await lines.next()).value);
  expect(wrong).not.toBe(BLOBS.mapped.bytes[5]);
  expect(await readWhole('cat', path)).toEqual(EIO);
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
  // Looking again is an error now (SIGBUS); the answer would be the wrong byte.
  child.stdin.write('look\n');
  expect((await exit)[1]).toBe('SIGBUS');
  store.proxy.heal();
  expect(await readWhole('mmap', path)).toEqual(rightReading(BLOBS.mapped.hex));
});

/** Maps a file, prints its sixth byte, and once more for each line. */
const MAP = `
import mmap, sys
with open(sys.argv[1], "rb") as file: mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
print(mapped[5], flush=True)
for line in sys.stdin: print(mapped[5], flush=True)
`;
