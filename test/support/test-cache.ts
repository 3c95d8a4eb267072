import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import {
  type DiskCacheOptions,
  type LocalDiskCache,
  openDiskCache,
} from '../../src/blobs/disk/local-disk-cache.js';
import type { CachedBlob, ContentName, PartialBlob } from '../../src/blobs/disk-cache.js';
import { Counters } from '../../src/observe/counters.js';
import { silentLog } from '../../src/observe/log.js';
import type { Digest } from '../../src/oci/digest.js';
import { makeTemporaryDirectory } from './temporary-directory.js';

/** Part size of test caches, in bytes. */
export const TEST_PART = 1000;

const opened: LocalDiskCache[] = [];
const directories: string[] = [];

// Registered in every test file that imports this module.
afterEach(async () => {
  for (const cache of opened.splice(0)) await cache.close();
  for (const directory of directories.splice(0)) {
    await rm(directory, { recursive: true, force: true });
  }
});

/** A path for a cache directory, which is removed after the test. */
export async function newCacheDirectory(): Promise<string> {
  const directory = await makeTemporaryDirectory('cache');
  directories.push(directory);
  return join(directory, 'cache');
}

/** A cache that is closed after the test, and its counters. */
export async function openTestCache(
  directory: string,
  options: Partial<DiskCacheOptions> = {},
): Promise<{ cache: LocalDiskCache; counters: Counters }> {
  const counters = new Counters();
  const cache = await openDiskCache({
    directory,
    maxBytes: 1e9,
    minFreeBytes: 0,
    partSize: TEST_PART,
    log: silentLog,
    counters,
    ...options,
  });
  opened.push(cache);
  return { cache, counters };
}

/** `size` bytes, others for each seed, and their name. */
export function testContent(size: number, seed = 0): { bytes: Buffer; name: ContentName } {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 13) & 0xff;
  bytes.writeUInt32LE(seed, 0);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
  return { bytes, name: { digest, size } };
}

/**
 * Keep a blob as its reader does: what an earlier run left is read, the rest written, and the blob
 * made complete when the bytes that were read or written are right. Undefined when the cache does
 * not take it.
 */
export async function keep(
  cache: LocalDiskCache,
  { bytes, name }: { bytes: Buffer; name: ContentName },
): Promise<CachedBlob | undefined> {
  const partial = await cache.openPartial(name);
  if (partial === undefined) return undefined;
  return finish(partial, { bytes, name });
}

/** As {@link keep}, with a partial blob that is open. */
export async function finish(
  partial: PartialBlob,
  { bytes, name }: { bytes: Buffer; name: ContentName },
): Promise<CachedBlob | undefined> {
  const seen = Buffer.from(bytes);
  for (let index = 0; index * partial.partSize < name.size; index++) {
    const at = index * partial.partSize;
    const part = seen.subarray(at, at + partial.partSize);
    if (partial.has(index) && (await succeeds(partial.read(part, at)))) continue;
    bytes.copy(seen, at, at, at + partial.partSize);
    if (await partial.write(index, part)) continue;
    await partial.close();
    return undefined;
  }
  if (seen.equals(bytes)) return partial.complete();
  await partial.discard();
  return undefined;
}

async function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

/** All bytes of a blob, which is closed; undefined for a miss. */
export async function readCached(
  cache: LocalDiskCache,
  name: ContentName,
): Promise<Buffer | undefined> {
  const blob = await cache.open(name);
  if (blob === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(name.size);
    await blob.read(bytes, 0);
    return bytes;
  } finally {
    blob.close();
  }
}
