import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { keysOf } from '../images/layouts.js';
import type { Fault } from '../servers/fault-proxy.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { blobCase } from './support/blob-case.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { HeldFile } from './support/held-file.js';
import { corpusOf, seededBytes } from './support/images.js';
import { EIO, ENOENT, readWhole, rightReading } from './support/whole-readers.js';
import { TEST_TRANSPORT } from '../mount/support/memory-mount.js';

const MiB = 1024 ** 2;
const REFRESH_MS = 500;

/** Bodies that end too early, and for how many requests: what a blob of 12 MiB then reads as. */
const BODIES: readonly { readonly name: string; readonly fault: Fault }[] = [
  { name: 'ends early, against its length', fault: { kind: 'truncate', after: 70_000 } },
  { name: 'ends early, as its length says', fault: truncated(70_000) },
  { name: 'is empty, against its length', fault: { kind: 'truncate', after: 0 } },
  { name: 'is empty, as its length says', fault: truncated(0) },
  { name: 'lacks one byte of a block', fault: truncated(128 * 1024 - 1) },
];
const bodies = BODIES.map((body) => ({ ...body, blob: blobCase(body.name, 12 * MiB) }));

const BLOBS = {
  etag: blobCase('etag', 12 * MiB),
  replaced: blobCase('replaced', 12 * MiB),
  emptied: blobCase('emptied', 12 * MiB),
  deleted: blobCase('deleted', 12 * MiB),
  shortened: blobCase('shortened', 12 * MiB),
  bystander: blobCase('bystander', 5000),
};
const images = [...bodies.map(({ blob }) => blob), ...Object.values(BLOBS)].map(
  ({ image }) => image,
);

let store: FaultyStore;
let mount: MountedLayoutfs;
const held: HeldFile[] = [];

beforeAll(async () => {
  store = await startFaultyStore(keysOf(corpusOf({ app: images, copy: images }), 'shared'));
  mount = await store.mount(
    '--refresh',
    `${REFRESH_MS}ms`,
    '--read-timeout',
    '5s',
    '--memory',
    '8MiB',
  );
});
afterEach(async () => {
  store.proxy.heal();
  await Promise.all(held.splice(0).map((file) => file.close()));
  const bystander = BLOBS.bystander.pathIn(mount.mountpoint, 'app');
  expect(await readWhole('dd iflag=direct', bystander)).toEqual(rightReading(BLOBS.bystander.hex));
});
afterAll(async () => {
  await mount.unmount();
  await store.stop();
});

describe('a body that', () => {
  it.for(bodies)('$name: once it is tried again, always it is EIO', async ({ fault, blob }) => {
    const path = blob.pathIn(mount.mountpoint, 'app');
    const always = store.proxy.add(fault, { operation: 'GET', key: blob.key });
    expect(await readWhole('cat', path)).toEqual(EIO);
    expect(always.hits).toBeGreaterThan(1);
    store.proxy.heal();
    const once = store.proxy.add(fault, { operation: 'GET', key: blob.key, times: 1 });
    expect(await readWhole('cat', path)).toEqual(rightReading(blob.hex));
    expect(once.hits).toBe(1);
  });
});

describe('an object that, in the middle of a read,', () => {
  it('shows another ETag for the same bytes is read on', async () => {
    const blob = BLOBS.etag;
    const reader = await beginReading(blob);
    const refused = store.proxy.add(
      { kind: 'status', status: 412, code: 'PreconditionFailed' },
      { key: blob.key, where: ({ ifMatch }) => ifMatch !== undefined, times: 1 },
    );
    expect(await reader.read(MiB, 11 * MiB)).toBe(blob.part(MiB, 11 * MiB));
    expect(refused.hits).toBe(1);
  });

  it('is replaced by other bytes is EIO until it is right again', async () => {
    const blob = BLOBS.replaced;
    const reader = await beginReading(blob);
    await store.bucket.put(blob.key, seededBytes('other', 12 * MiB));
    expect(await reader.read(MiB, 11 * MiB)).toBe('EIO');
    await reader.close();
    expect(await readWhole('cat', blob.pathIn(mount.mountpoint, 'copy'))).toEqual(EIO);
    await store.bucket.put(blob.key, blob.bytes);
    expect(await readWhole('cat', blob.pathIn(mount.mountpoint, 'app'))).toEqual(
      rightReading(blob.hex),
    );
  });

  it.for([
    { name: 'emptied', blob: BLOBS.emptied, change: Buffer.alloc(0), then: ENOENT },
    { name: 'shortened', blob: BLOBS.shortened, change: seededBytes('short', 3000), then: EIO },
    { name: 'deleted', blob: BLOBS.deleted, change: undefined, then: ENOENT },
  ])('is $name is EIO, then not there, until it is back', async ({ blob, change, then }) => {
    const reader = await beginReading(blob);
    if (change) await store.bucket.put(blob.key, change);
    else await store.bucket.delete(blob.key);
    expect(await reader.read(5 * MiB, 7 * MiB)).toBe('EIO');
    await reader.close();
    expect(await readWhole('cat', blob.pathIn(mount.mountpoint, 'copy'))).toEqual(then);
    expect(await readWhole('cat', blob.pathIn(mount.mountpoint, 'app'))).toEqual(then);

    await store.bucket.put(blob.key, blob.bytes);
    await sleep(REFRESH_MS);
    for (const repository of ['app', 'copy']) {
      const path = blob.pathIn(mount.mountpoint, repository);
      expect(await readWhole('cat', path)).toEqual(rightReading(blob.hex));
    }
  });

  it('the lost ones are named by status until they are back', async () => {
    const { key, bytes, digest } = BLOBS.deleted;
    const path = BLOBS.deleted.pathIn(mount.mountpoint, 'app');
    // One inode for one blob: the kernel does not say by which of its names it was opened.
    const lost =
      TEST_TRANSPORT === 'kernel'
        ? (expect.objectContaining({ digest }) as unknown)
        : { repository: 'app', digest };
    await store.bucket.delete(key);
    await dropFromMemory();
    // It was known to be there until its first part was asked for again.
    expect(await readWhole('dd iflag=direct', path)).toEqual(EIO);
    expect(await readWhole('dd iflag=direct', path)).toEqual(ENOENT);
    expect((await mount.status()).unresolved).toContainEqual(lost);
    await store.bucket.put(key, bytes);
    await sleep(REFRESH_MS);
    expect(await readWhole('dd iflag=direct', path)).toEqual(rightReading(BLOBS.deleted.hex));
    expect((await mount.status()).unresolved).not.toContainEqual(lost);
  });
});

/** Read other blobs until the daemon's memory has no part of earlier ones. */
async function dropFromMemory(): Promise<void> {
  for (const { blob } of bodies) {
    await readWhole('dd iflag=direct', blob.pathIn(mount.mountpoint, 'app'));
  }
}

/** Open a blob and read 1 MiB of it, right. */
async function beginReading(blob: (typeof BLOBS)['etag']): Promise<HeldFile> {
  const reader = await HeldFile.open(blob.pathIn(mount.mountpoint, 'app'));
  held.push(reader);
  expect(await reader.read(0, MiB)).toBe(blob.part(0, MiB));
  return reader;
}

function truncated(after: number): Fault {
  return { kind: 'truncate', after, adjusted: true };
}
