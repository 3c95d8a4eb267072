import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { flipBit, TamperingStore } from '../../test/support/tampering-store.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import type { Digest } from '../oci/digest.js';
import { openRegistry } from '../registry/open.js';
import { StoreError } from '../store/errors.js';
import { LocalStore } from '../store/local/local-store.js';
import { Blobs } from './blobs.js';
import { BLOCK_SIZE, PART_SIZE } from './grid.js';

const LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
const INDEX = Buffer.from('{"schemaVersion":2,"manifests":[]}');

let directory: string;
let local: LocalStore;
let store: TamperingStore;
let counters: Counters;
let blobs: Blobs;

async function openBlobs(memoryBytes = 64 * 1024 * 1024): Promise<Blobs> {
  const shared = { log: silentLog, counters, refreshMs: 50 };
  const registry = await openRegistry({ ...shared, store, prefix: '', stateDir: directory });
  store.forget();
  return new Blobs({ ...shared, registry, memoryBytes, deadlineMs: 5000 });
}

/** Put content under the shared prefix and answer its name. */
async function putShared(
  bytes: Uint8Array,
): Promise<{ digest: Digest; size: number; key: string }> {
  const encoded = createHash('sha256').update(bytes).digest('hex');
  const key = `storage/blobs/sha256/${encoded}`;
  await local.put(key, bytes);
  return { digest: `sha256:${encoded}` as Digest, size: bytes.byteLength, key };
}

/** Compared by hand: a matcher takes seconds over megabytes. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Bytes that all GETs so far asked for. */
function bytesAsked(): number {
  return store.gets.reduce((sum, get) => sum + (get.length ?? Infinity), 0);
}

/** Where GETs asked for bytes that another one had asked for. */
function askedTwice(): number[] {
  const gets = store.gets.map(({ offset = 0, length = 0 }) => ({ offset, length }));
  gets.sort((a, b) => a.offset - b.offset);
  const overlaps = gets.filter(({ offset, length }, i) => {
    const next = gets[i + 1];
    return next !== undefined && offset + length > next.offset;
  });
  return overlaps.map((get) => get.offset);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-blobs-'));
  local = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  for (const repository of ['r', 's']) {
    await local.put(`${repository}/oci-layout`, LAYOUT);
    await local.put(`${repository}/index.json`, INDEX);
  }
  await local.put('storage/blobs/sha256/' + 'a'.repeat(64), Buffer.from('x'));
  store = new TamperingStore(local);
  counters = new Counters();
  blobs = await openBlobs();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe('reading a blob', () => {
  it('costs one GET for a small one, however often and through whichever repository', async () => {
    const bytes = randomBytes(5000);
    const { digest, size } = await putShared(bytes);
    for (const repository of ['r', 's', 'r']) {
      expect(await blobs.readAll({ repository, digest, size })).toEqual(bytes);
    }
    expect(store.gets).toHaveLength(1);
    expect(store.heads).toHaveLength(0);
    expect(store.lists).toHaveLength(0);
  });

  it('fetches each byte of a large one once, with If-Match', async () => {
    const bytes = randomBytes(2 * PART_SIZE + 1000);
    const { digest, size } = await putShared(bytes);
    const blob = await blobs.open({ repository: 'r', digest, size });
    const pieces: Uint8Array[] = [];
    for (let offset = 0; offset < size; offset += 131072) {
      pieces.push(await blob.read(offset, 131072));
    }
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    expect(blob.close()).toBe(true);
    expect(askedTwice()).toEqual([]);
    expect(bytesAsked()).toBe(size);
    expect(store.gets.slice(1).every((get) => get.ifMatch !== undefined)).toBe(true);
  });

  it('does not fetch a sequential read twice when the memory is too small to keep it', async () => {
    blobs = await openBlobs(PART_SIZE + 1000);
    const bytes = randomBytes(4 * PART_SIZE);
    const { digest, size } = await putShared(bytes);
    const blob = await blobs.open({ repository: 'r', digest, size });
    for (let offset = 0; offset < size; offset += PART_SIZE / 4) {
      await blob.read(offset, PART_SIZE / 4);
    }
    expect(blob.close()).toBe(true);
    // While the thread that hashes gets no processor there is no room, and what was asked for ahead
    // is stopped and asked for again.
    expect(bytesAsked()).toBeLessThan(1.5 * size);
  });

  it('says at open that a blob is absent, and asks again only after the refresh interval', async () => {
    const name = { repository: 'r', digest: `sha256:${'b'.repeat(64)}` as Digest, size: 3 };
    await expect(blobs.open(name)).rejects.toMatchObject({ code: 'absent' });
    const asked = store.gets.length;
    await expect(blobs.open(name)).rejects.toMatchObject({ code: 'absent' });
    expect(store.gets).toHaveLength(asked);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await expect(blobs.open(name)).rejects.toMatchObject({ code: 'absent' });
    expect(store.gets.length).toBeGreaterThan(asked);
    expect(blobs.lost()).toEqual([name]);
  });

  it('serves the empty blob without asking, and no other blob of no bytes', async () => {
    const empty = `sha256:${createHash('sha256').digest('hex')}` as Digest;
    expect(await blobs.readAll({ repository: 'r', digest: empty, size: 0 })).toHaveLength(0);
    const lie = blobs.open({
      repository: 'r',
      digest: `sha256:${'c'.repeat(64)}` as Digest,
      size: 0,
    });
    await expect(lie).rejects.toMatchObject({ code: 'wrong-size' });
    expect(store.gets).toHaveLength(0);
  });

  it('refuses a blob whose descriptor lies about the size', async () => {
    const { digest, size } = await putShared(randomBytes(100));
    for (const claimed of [size - 1, size + 1]) {
      const opened = blobs.open({ repository: 'r', digest, size: claimed });
      await expect(opened).rejects.toMatchObject({ code: 'wrong-size' });
    }
    expect(counters.get('blobs.wrongSize')).toBe(2);
  });

  it('goes on with another copy when its object is emptied, deleted or moved meanwhile', async () => {
    const bytes = randomBytes(3 * PART_SIZE);
    const { digest, size, key } = await putShared(bytes);
    const blob = await blobs.open({ repository: 'r', digest, size });
    await blob.read(0, 4096);
    const own = `r/blobs/${digest.replace(':', '/')}`;
    await local.put(own, bytes);
    await local.delete(key);
    expect(Buffer.from(await blob.read(PART_SIZE, 4096))).toEqual(
      bytes.subarray(PART_SIZE, PART_SIZE + 4096),
    );
    await local.put(key, bytes);
    await local.put(own, new Uint8Array());
    expect(Buffer.from(await blob.read(2 * PART_SIZE, 4096))).toEqual(
      bytes.subarray(2 * PART_SIZE, 2 * PART_SIZE + 4096),
    );
    blob.close();
  });

  it('tries a broken transfer again', async () => {
    const bytes = randomBytes(2 * PART_SIZE);
    const { digest, size } = await putShared(bytes);
    const blob = await blobs.open({ repository: 'r', digest, size });
    let failures = 2;
    store.beforeGet = () => {
      if (failures-- > 0) throw new StoreError('Interrupted', 'The connection broke.');
    };
    const read = Buffer.from(await blob.read(PART_SIZE, PART_SIZE));
    expect(read.equals(bytes.subarray(PART_SIZE))).toBe(true);
    blob.close();
  });

  it('gives up on a store that keeps failing, without calling the blob absent', async () => {
    const { digest, size } = await putShared(randomBytes(10));
    store.beforeGet = () => {
      throw new StoreError('Unavailable', 'Slow down.');
    };
    const opened = blobs.open({ repository: 'r', digest, size });
    await expect(opened).rejects.toMatchObject({ code: 'unavailable' });
    expect(blobs.lost()).toEqual([]);
  });

  it('works over a store that knows no ETags', async () => {
    store = new TamperingStore(local, { conditionalGet: false });
    store.describe = ({ key, size }) => ({ key, size });
    blobs = await openBlobs();
    const bytes = randomBytes(PART_SIZE + 10);
    const { digest, size } = await putShared(bytes);
    expect(same(await blobs.readAll({ repository: 'r', digest, size }), bytes)).toBe(true);
    expect(store.gets.every((get) => get.ifMatch === undefined)).toBe(true);
  });
});

describe('promise 1: nobody reads wrong bytes from start to end', () => {
  it('withholds the only read of a small blob', async () => {
    const { digest, size } = await putShared(randomBytes(1000));
    store.tamper = flipBit(500);
    const blob = await blobs.open({ repository: 'r', digest, size });
    await expect(blob.read(0, 1000)).rejects.toMatchObject({ code: 'mismatch' });
    expect(counters.get('blobs.mismatch')).toBe(1);
  });

  it.each([0, PART_SIZE - 1, PART_SIZE, 2 * PART_SIZE + 99])(
    'withholds the last read of a large blob with a bit flipped at %i',
    async (at) => {
      const { digest, size } = await putShared(randomBytes(2 * PART_SIZE + 100));
      store.tamper = flipBit(at);
      const blob = await blobs.open({ repository: 'r', digest, size });
      let delivered = 0;
      const reading = (async () => {
        for (let offset = 0; offset < size; offset += 65536) {
          delivered += (await blob.read(offset, 65536)).byteLength;
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: 'mismatch' });
      expect(delivered).toBeLessThan(size);
    },
  );

  it('counts what all handles were given, in any order', async () => {
    const { digest, size } = await putShared(randomBytes(PART_SIZE + 100));
    store.tamper = flipBit(7);
    const first = await blobs.open({ repository: 'r', digest, size });
    const second = await blobs.open({ repository: 's', digest, size });
    await first.read(0, PART_SIZE);
    await expect(second.read(PART_SIZE, 100)).rejects.toMatchObject({ code: 'mismatch' });
    await expect(first.read(0, 1)).rejects.toMatchObject({ code: 'mismatch' });
  });

  it('withholds one of two concurrent reads that complete the delivery together', async () => {
    const { digest, size } = await putShared(randomBytes(2 * PART_SIZE));
    store.tamper = flipBit(7);
    const blob = await blobs.open({ repository: 'r', digest, size });
    const reads = await Promise.allSettled([
      blob.read(0, PART_SIZE),
      blob.read(PART_SIZE, PART_SIZE),
    ]);
    expect(reads.filter((read) => read.status === 'rejected').length).toBeGreaterThan(0);
  });

  it('finds out a part that changed between two fetches', async () => {
    blobs = await openBlobs(1);
    const { digest, size } = await putShared(randomBytes(2 * PART_SIZE));
    const blob = await blobs.open({ repository: 'r', digest, size });
    await blob.read(0, 4096);
    store.tamper = flipBit(5000);
    await vi.waitFor(async () => {
      // The memory has room for four blocks; the first goes when it is hashed.
      for (let block = 1; block <= 8; block++) await blob.read(block * BLOCK_SIZE, 4096);
      await expect(blob.read(4096, 4096)).rejects.toMatchObject({ code: 'mismatch' });
    }, 5000);
  });

  it('poisons every handle, and serves right bytes once those are closed and the store has healed', async () => {
    const bytes = randomBytes(PART_SIZE + 100);
    const { digest, size } = await putShared(bytes);
    const name = { repository: 'r', digest, size };
    store.tamper = flipBit(7);
    const first = await blobs.open(name);
    const second = await blobs.open(name);
    await first.read(0, PART_SIZE);
    await expect(first.read(PART_SIZE, 100)).rejects.toMatchObject({ code: 'mismatch' });
    store.tamper = (_key, chunk) => chunk;
    await expect(second.read(0, 10)).rejects.toMatchObject({ code: 'mismatch' });
    await expect(blobs.open(name)).rejects.toMatchObject({ code: 'mismatch' });
    expect(first.close()).toBe(false);
    await expect(blobs.open(name)).rejects.toMatchObject({ code: 'mismatch' });
    expect(second.close()).toBe(false);
    expect(same(await blobs.readAll(name), bytes)).toBe(true);
  });

  it('counts what handles were given that were opened at the same moment', async () => {
    const { digest, size } = await putShared(randomBytes(2000));
    const name = { repository: 'r', digest, size };
    store.tamper = flipBit(7);
    const [first, second] = await Promise.all([blobs.open(name), blobs.open(name)]);
    await first.read(0, 1000);
    await expect(second.read(1000, 1000)).rejects.toMatchObject({ code: 'mismatch' });
  });

  it('serves right bytes once the store has healed, whatever partial readers had been given', async () => {
    const bytes = randomBytes(PART_SIZE + 100);
    const { digest, size } = await putShared(bytes);
    const name = { repository: 'r', digest, size };
    store.tamper = flipBit(7);
    const partial = await blobs.open(name);
    await partial.read(0, 1000);
    partial.close();
    store.tamper = (_key, chunk) => chunk;
    await sleep(60);
    expect(same(await blobs.readAll(name), bytes)).toBe(true);
  });

  it('takes another copy when one is corrupt and nobody has seen any of it', async () => {
    const bytes = randomBytes(2000);
    const { digest, size, key } = await putShared(bytes);
    await local.put(`r/blobs/${digest.replace(':', '/')}`, bytes);
    store.tamper = (name, chunk, position) =>
      name === key ? flipBit(100)(name, chunk, position) : chunk;
    expect(same(await blobs.readAll({ repository: 'r', digest, size }), bytes)).toBe(true);
  });

  it('checks a part of a verified blob alone when it is fetched again', async () => {
    blobs = await openBlobs(1);
    const bytes = randomBytes(2 * PART_SIZE);
    const { digest, size } = await putShared(bytes);
    const name = { repository: 'r', digest, size };
    await blobs.readAll(name);
    const blob = await blobs.open(name);
    expect(blob.wasVerified).toBe(true);
    store.tamper = flipBit(PART_SIZE + 9);
    await expect(blob.read(PART_SIZE, 4096)).rejects.toMatchObject({ code: 'mismatch' });
    store.tamper = (_key, chunk) => chunk;
    expect(Buffer.from(await blob.read(PART_SIZE, 4096))).toEqual(
      bytes.subarray(PART_SIZE, PART_SIZE + 4096),
    );
    expect(blob.close()).toBe(true);
  });

  it('does not serve a digest of an algorithm that it cannot compute', async () => {
    const opened = blobs.open({ repository: 'r', digest: 'md5:abc' as Digest, size: 3 });
    await expect(opened).rejects.toMatchObject({ code: 'unsupported' });
  });
});

describe('--verify', () => {
  async function opened(verify: 'full' | 'off', memoryBytes = 64 * 1024 * 1024) {
    const shared = { log: silentLog, counters, refreshMs: 50 };
    const registry = await openRegistry({ ...shared, store, prefix: '', stateDir: directory });
    return new Blobs({ ...shared, registry, memoryBytes, deadlineMs: 5000, verify });
  }

  it.each([64 * 1024 * 1024, 8 * BLOCK_SIZE])(
    'full gives out no byte of a bad blob, with %i bytes of memory',
    async (memoryBytes) => {
      blobs = await opened('full', memoryBytes);
      const bytes = randomBytes(3 * 1024 * 1024);
      const { digest, size } = await putShared(bytes);
      const name = { repository: 'r', digest, size };
      store.tamper = flipBit(size - 1);
      const bad = await blobs.open(name);
      await expect(bad.read(0, 1)).rejects.toMatchObject({ code: 'mismatch' });
      bad.close();
      store.tamper = (_key, chunk) => chunk;
      const good = await blobs.open(name);
      expect(Buffer.from(await good.read(5, 10))).toEqual(bytes.subarray(5, 15));
      expect(counters.get('blobs.verified')).toBe(1);
      expect(good.close()).toBe(true);
    },
  );

  it('full ends what it does for a reader who has gone', async () => {
    blobs = await opened('full');
    const { digest, size } = await putShared(randomBytes(64 * 1024 * 1024));
    store.forget();
    const blob = await blobs.open({ repository: 'r', digest, size });
    const reading = blob.read(0, 1);
    blob.close();
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' });
    const asked = bytesAsked();
    await sleep(100);
    expect(bytesAsked()).toBe(asked);
    expect(asked).toBeLessThan(size / 2);
  });

  it('off withholds nothing, vouches for nothing, and verifies documents all the same', async () => {
    blobs = await opened('off');
    const { digest, size } = await putShared(randomBytes(1000));
    const name = { repository: 'r', digest, size };
    store.tamper = flipBit(500);
    const blob = await blobs.open(name);
    expect(await blob.read(0, size)).toHaveLength(size);
    expect(blob.close()).toBe(false);
    expect(counters.get('blobs.mismatch')).toBe(0);
    await expect(blobs.readAll(name)).rejects.toMatchObject({ code: 'mismatch' });
  });
});
