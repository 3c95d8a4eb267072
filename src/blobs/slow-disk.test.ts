import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TamperingStore } from '../../test/support/tampering-store.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import type { Digest } from '../oci/digest.js';
import { openRegistry } from '../registry/open.js';
import { LocalStore } from '../store/local/local-store.js';
import { Blobs } from './blobs.js';
import { openDiskCache, type LocalDiskCache } from './disk/local-disk-cache.js';
import type { DiskCache } from './disk-cache.js';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;

let directory: string;
let disk: LocalDiskCache;
let store: TamperingStore;
let blobs: Blobs;
/** Whether the disk takes the next parts. */
let takes: () => boolean;
const name = { repository: 'r', digest: '' as Digest, size: SIZE };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-slow-disk-'));
  await mkdir(join(directory, 'store'));
  const local = new LocalStore({ kind: 'file', root: join(directory, 'store'), prefix: '' });
  await local.put('r/oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  await local.put('r/index.json', Buffer.from('{"schemaVersion":2,"manifests":[]}'));
  const bytes = randomBytes(SIZE);
  const encoded = createHash('sha256').update(bytes).digest('hex');
  await local.put(`storage/blobs/sha256/${encoded}`, bytes);
  name.digest = `sha256:${encoded}` as Digest;
  store = new TamperingStore(local);
  const counters = new Counters();
  disk = await openDiskCache({
    directory: join(directory, 'cache'),
    maxBytes: 1024 * MIB,
    minFreeBytes: 0,
    log: silentLog,
    counters,
  });
  const shared = { log: silentLog, counters, refreshMs: 5000 };
  const registry = await openRegistry({ ...shared, store, prefix: '', stateDir: directory });
  // Less than the blob, so that what the disk does not take is not there in the end.
  const memoryBytes = SIZE / 4;
  blobs = new Blobs({ ...shared, registry, memoryBytes, deadlineMs: 5000, disk: taking(disk) });
});
afterEach(async () => {
  await blobs.close();
  await disk.close();
  await rm(directory, { recursive: true });
});

/** A disk that does not keep up takes some parts and others not. */
function taking(real: DiskCache): DiskCache {
  return {
    open: (of) => real.open(of),
    close: () => real.close(),
    async openPartial(of) {
      const partial = await real.openPartial(of);
      if (!partial) return undefined;
      return {
        partSize: partial.partSize,
        has: (index) => partial.has(index),
        read: (target, position) => partial.read(target, position),
        write: async (index, bytes) => takes() && partial.write(index, bytes),
        complete: () => partial.complete(),
        discard: () => partial.discard(),
        close: () => partial.close(),
      };
    },
  };
}

/** Read the blob whole; answers whether it was a plain file of the disk from the start. */
async function readWhole(): Promise<boolean> {
  const blob = await blobs.open(name);
  for (let at = 0; at < SIZE; at += MIB) await blob.read(at, MIB);
  blob.close();
  return blob.backing !== undefined;
}

/** Whether a partial blob is there that nobody writes any more. */
async function isWritten(): Promise<boolean> {
  const files = await readdir(join(directory, 'cache', 'partial'), { recursive: true });
  return files.some((file) => file.endsWith(`.${SIZE}`));
}

it('a blob that a slow disk got in part becomes complete when it is read again', async () => {
  let writes = 0;
  takes = () => writes++ % 2 === 0;
  expect(await readWhole()).toBe(false);
  takes = () => true;
  await expect.poll(isWritten, { timeout: 10_000 }).toBe(true);
  store.forget();
  expect(await readWhole()).toBe(false);
  const fetched = store.gets.reduce((sum, { length = 0 }) => sum + length, 0);
  expect(fetched).toBeGreaterThan(0);
  expect(fetched).toBeLessThan(SIZE);
  await expect.poll(readWhole, { interval: 100, timeout: 10_000 }).toBe(true);
  store.forget();
  expect(await readWhole()).toBe(true);
  expect(store.gets).toEqual([]);
});

it('what is read again while the disk still writes it is kept all the same', async () => {
  // One part is missing in the end, until somebody reads it again.
  let isFirst = true;
  takes = () => !isFirst || (isFirst = false);
  expect(await readWhole()).toBe(false);
  store.forget();
  // At once: the file that the first reader's parts are in is not closed yet.
  expect(await readWhole()).toBe(false);
  const fetched = store.gets.reduce((sum, { length = 0 }) => sum + length, 0);
  expect(fetched).toBeLessThan(SIZE);
  await expect.poll(readWhole, { interval: 100, timeout: 10_000 }).toBe(true);
});
