import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { LocalStore } from '../../src/store/local/local-store.js';
import { openStore } from '../../src/store/open.js';
import { writeKeys } from '../images/layouts.js';
import { mountLayoutfs } from '../support/mount.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { stateOf } from './support/bucket-state.js';
import { CrashingStore } from './support/crashing-store.js';
import { whileRead } from './support/mount-readers.js';
import { runMigration, runRollback } from './support/runs.js';
import { makeS3Bucket } from './support/s3-buckets.js';
import {
  blobOf,
  config,
  documentsOf,
  keyOf,
  manifestOf,
  type Blob,
} from './support/small-registry.js';

let directory: string;
beforeEach(async () => {
  directory = await makeTemporaryDirectory('live');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Slow enough for readers to be in the middle of it. */
function slowly(store: WritableObjectStore): WritableObjectStore {
  const slow = new CrashingStore(store);
  slow.beforeRequest = async ({ verb }) => {
    if (/copy|delete|put/i.test(verb)) await sleep(10);
  };
  return slow.store;
}

async function thereAndBack(store: WritableObjectStore): Promise<void> {
  const before = await stateOf(store);
  const there = await runMigration(slowly(store), 'shared', { concurrency: 2 });
  expect(there).toMatchObject({ finished: true, skipped: [] });
  await sleep(1000);
  await runRollback(slowly(store), { concurrency: 2 });
  expect(await stateOf(store)).toEqual(before);
  await runMigration(slowly(store), 'per-repository', { concurrency: 2 });
}

/** Much less than what is read, so that the store is asked all the time. */
const ARGUMENTS = ['--refresh', '1s', '--memory', '8MiB'];
const IMAGES = 6;
const LAYERS = 4;
const LAYER_BYTES = 2 ** 20;

type Layout = 'placeholders' | 'copies' | 'scattered';

/** Two repositories with the same images of large layers. */
function largeImages(layout: Layout): Map<string, Buffer> {
  const blobs: Blob[] = [config];
  const images = Array.from({ length: IMAGES }, (_, image) => {
    const layers = Array.from({ length: LAYERS }, (_, layer) =>
      blobOf(`layer ${image}.${layer} `.repeat(LAYER_BYTES / 10)),
    );
    const manifest = manifestOf(config, layers);
    blobs.push(manifest, ...layers);
    return manifest;
  });
  const keys = new Map<string, Buffer>();
  for (const name of ['team/one', 'team/two']) {
    for (const [key, text] of Object.entries(documentsOf(name, images))) {
      keys.set(key, Buffer.from(text));
    }
  }
  for (const [position, blob] of blobs.entries()) {
    const [first, second] =
      position % 2 === 0 ? ['team/one', 'team/two'] : ['team/two', 'team/one'];
    const place = layout === 'scattered' ? position % 3 : 0;
    keys.set(keyOf(place === 1 ? 'storage' : place === 2 ? '_blobstore' : first, blob), blob.bytes);
    if (place > 0) continue;
    keys.set(keyOf(second, blob), layout === 'copies' ? blob.bytes : Buffer.alloc(0));
  }
  return keys;
}

const BLOBS_IN_ALL = 2 * (1 + IMAGES * (1 + LAYERS));

describe('a mount whose bucket is migrated and rolled back', () => {
  test.each<[Layout]>([['placeholders'], ['copies'], ['scattered']])(
    'shows the same throughout, without an error: %s',
    async (layout) => {
      await writeKeys(directory, largeImages(layout));
      const store = new LocalStore({ kind: 'file', root: directory, prefix: '' });
      const mount = await mountLayoutfs(directory, { arguments: ARGUMENTS });
      const { rounds, blobs, mapped, wrong } = await whileRead(mount.mountpoint, () =>
        thereAndBack(store),
      );
      expect(wrong).toEqual([]);
      expect(rounds).toBeGreaterThan(2);
      expect(blobs).toBe(rounds * BLOBS_IN_ALL);
      expect(mapped).toBeGreaterThan(BLOBS_IN_ALL);
      // Blobs were found again at other places, and not read from memory alone.
      const { counters } = await mount.status();
      expect(counters['blobs.fromShared']).toBeGreaterThan(10);
      expect(counters['blobs.fromRepository'] + counters['blobs.fromOther']).toBeGreaterThan(10);
      expect(counters['blobs.mismatch']).toBe(0);
      await mount.unmount();
    },
  );

  test('shows the same throughout on a real S3 server', async () => {
    const made = await makeS3Bucket(largeImages('placeholders'));
    const store = await openStore(made.source);
    const { accessKey, secretKey } = inject('radosgw');
    const env = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
    const mount = await mountLayoutfs(made.url, { arguments: ARGUMENTS, env });
    const { rounds, blobs, mapped, wrong } = await whileRead(mount.mountpoint, () =>
      thereAndBack(store),
    );
    expect(wrong).toEqual([]);
    expect(rounds).toBeGreaterThan(1);
    expect(blobs).toBe(rounds * BLOBS_IN_ALL);
    expect(mapped).toBeGreaterThan(BLOBS_IN_ALL);
    await mount.unmount();
    await store.close();
  });
});
