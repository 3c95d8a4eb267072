import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import type { Digest } from '../oci/digest.js';
import { openRegistry } from '../registry/open.js';
import { withDeadline } from '../store/deadline.js';
import { StoreError } from '../store/errors.js';
import { LocalStore } from '../store/local/local-store.js';
import type { GetResult, WritableObjectStore } from '../store/object-store.js';
import { Blobs } from './blobs.js';
import { BLOCK_SIZE } from './grid.js';

/** As small as it can be: four blocks. */
const MEMORY = 4 * BLOCK_SIZE;

const READ_MS = 1500;

let directory: string;
let local: LocalStore;
let blobs: Blobs;
/** The key of which reads hang, and what ends them. */
let hanging: string;
let writeLate: () => void;
let hung: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-hung-'));
  local = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  await local.put('r/oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  await local.put('r/index.json', Buffer.from('{"schemaVersion":2,"manifests":[]}'));
  hung = 0;
  hanging = await put(randomBytes(BLOCK_SIZE)).then(({ key }) => key);
  const counters = new Counters();
  const shared = { log: silentLog, counters, refreshMs: 50 };
  const store = withDeadline(hangingStore(), { requestMs: 5000, idleMs: 100 });
  const registry = await openRegistry({ ...shared, store, prefix: '', stateDir: directory });
  blobs = new Blobs({ ...shared, registry, memoryBytes: MEMORY, deadlineMs: READ_MS });
});
afterEach(async () => {
  await blobs.close();
  await rm(directory, { recursive: true });
});

async function put(bytes: Uint8Array) {
  const encoded = createHash('sha256').update(bytes).digest('hex');
  const key = `storage/blobs/sha256/${encoded}`;
  await local.put(key, bytes);
  const digest = `sha256:${encoded}` as Digest;
  return { key, name: { repository: 'r', digest, size: bytes.byteLength } };
}

/** As the operating system may: the bytes come long after they were given up. */
function hangingStore(): WritableObjectStore {
  return {
    name: local.name,
    capabilities: local.capabilities,
    list: local.list.bind(local),
    head: local.head.bind(local),
    put: local.put.bind(local),
    putIfAbsent: local.putIfAbsent.bind(local),
    delete: local.delete.bind(local),
    deleteMany: local.deleteMany.bind(local),
    copy: local.copy.bind(local),
    uploads: local.uploads.bind(local),
    abortUpload: local.abortUpload.bind(local),
    close: local.close.bind(local),
    async get(key, options): Promise<GetResult> {
      const result = await local.get(key, options);
      if (key !== hanging) return result;
      result.cancel();
      const readInto = (target: Uint8Array) =>
        new Promise<void>((_resolve, reject) => {
          hung++;
          writeLate = () => {
            target.fill(0x55);
            reject(new StoreError('Aborted', 'It was cancelled.'));
          };
        });
      return { ...result, readInto };
    },
  };
}

describe('a store that goes on writing after its time', () => {
  it('writes over nothing that others are given, and its memory comes back', async () => {
    const bytes = randomBytes(MEMORY);
    const { name } = await put(bytes);
    const [encoded = ''] = hanging.split('/').slice(-1);
    const stuck = { repository: 'r', digest: `sha256:${encoded}` as Digest, size: BLOCK_SIZE };
    const waiting = await blobs.open(stuck);
    await expect(waiting.read(0, 10)).rejects.toMatchObject({ code: 'unavailable' });
    expect(hung).toBeGreaterThan(0);
    waiting.close();
    // Whatever else may be tried is over by now.
    await sleep(1000);

    const other = await blobs.open(name);
    const readAll = async () => {
      for (let at = 0; at < MEMORY; at += BLOCK_SIZE) {
        const block = await other.read(at, BLOCK_SIZE);
        expect(Buffer.compare(block, bytes.subarray(at, at + BLOCK_SIZE))).toBe(0);
      }
    };
    await readAll();
    expect(blobs.memoryBytes).toBe(MEMORY);
    // What is in memory now is given to readers as it is.
    for (let at = 0; at < MEMORY; at += BLOCK_SIZE) {
      await other.read(at, BLOCK_SIZE);
      writeLate();
      const block = await other.read(at, BLOCK_SIZE);
      expect(Buffer.compare(block, bytes.subarray(at, at + BLOCK_SIZE))).toBe(0);
    }
    await readAll();
    other.close();

    // All of it can be had again, at once.
    hanging = '';
    await sleep(0);
    const whole = randomBytes(MEMORY / 2);
    expect(Buffer.compare(await blobs.readAll((await put(whole)).name), whole)).toBe(0);
    expect(Buffer.from(await blobs.readAll(stuck))).toHaveLength(BLOCK_SIZE);
  });
});
