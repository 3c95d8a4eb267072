import { createHash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { FlakyStore } from '../../test/support/flaky-store.js';
import { newCacheDirectory, openTestCache } from '../../test/support/test-cache.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import type { Digest } from '../oci/digest.js';
import type { Registry } from '../registry/registry.js';
import { Blobs } from './blobs.js';
import { BLOCK_SIZE } from './grid.js';

const KEY = 'blobs/it';
const SIZE = 2 * BLOCK_SIZE;

it.each([0, 5000])(
  'wrong bytes that somebody left on the disk are fetched anew; who has %i of them is told',
  async (alreadyRead) => {
    const bytes = randomBytes(SIZE);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
    const name = { repository: 'r', digest, size: SIZE };
    const store = new FlakyStore(KEY, bytes, 65_536);
    const registry: Partial<Registry> = {
      listable: true,
      scope: () => 'all',
      candidates: () => [{ store, key: KEY, source: 'shared' }],
      located: () => undefined,
      locate: () => Promise.resolve([]),
      succeeded: () => undefined,
      failed: () => undefined,
    };
    const { cache, counters } = await openTestCache(await newCacheDirectory(), {
      partSize: BLOCK_SIZE,
    });
    const blobs = new Blobs({
      registry: registry as Registry,
      memoryBytes: 8 * BLOCK_SIZE,
      refreshMs: 0,
      deadlineMs: 20_000,
      disk: cache,
      log: silentLog,
      counters: new Counters(),
    });
    store.faults = [{ kind: 'flipped', at: 100 }];
    const partial = await blobs.open(name);
    await partial.read(0, 5000);
    partial.close();
    await expect.poll(() => counters.snapshot()['cache.bytesWritten']).toBe(SIZE);

    const blob = await blobs.open(name);
    if (alreadyRead > 0) {
      await blob.read(0, alreadyRead);
      await expect(blob.read(alreadyRead, SIZE)).rejects.toThrow('do not hash to it');
      blob.close();
    } else {
      expect(Buffer.compare(await blob.read(0, SIZE), bytes)).toBe(0);
      expect(blob.close()).toBe(true);
    }
    expect(Buffer.compare(await blobs.readAll(name), bytes)).toBe(0);
    await blobs.close();
    await cache.close();
  },
);
