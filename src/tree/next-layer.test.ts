import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { flipBit, TamperingStore } from '../../test/support/tampering-store.js';
import { Blobs } from '../blobs/blobs.js';
import { Catalog } from '../catalog/catalog.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import { OCI_MANIFEST } from '../oci/media-types.js';
import { openRegistry } from '../registry/open.js';
import { LocalStore } from '../store/local/local-store.js';
import { ROOT_INODE } from './file-system.js';
import { Tree } from './tree.js';

/** Readers of an image go from layer to layer: what the tree has fetched before they ask for it. */

const MiB = 1024 ** 2;

/** The config first, then the layers. */
const PARTS: readonly [Buffer, Buffer, Buffer, Buffer] = [
  randomBytes(500),
  randomBytes(24 * MiB),
  randomBytes(20 * MiB),
  randomBytes(2 * MiB),
];
const [CONFIG = '', FIRST = '', SECOND = '', THIRD = ''] = PARTS.map(hexOf);

let directory: string;
let local: LocalStore;
let store: TamperingStore;
let tree: Tree;
let blobs: Blobs;

function hexOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const keyOf = (hex: string) => `storage/blobs/sha256/${hex}`;

/** A manifest of parts, the config first. */
function manifestOf(parts: readonly Uint8Array[]): Buffer {
  const [config, ...layers] = parts.map((part) => ({
    mediaType: 'application/octet-stream',
    digest: `sha256:${hexOf(part)}`,
    size: part.byteLength,
  }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }));
}

async function putRepository(name: string, parts: readonly Uint8Array[]): Promise<void> {
  const manifest = manifestOf(parts);
  const digest = `sha256:${hexOf(manifest)}`;
  const manifests = [{ mediaType: OCI_MANIFEST, digest, size: manifest.byteLength }];
  await local.put(`${name}/oci-layout`, Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  const index = JSON.stringify({ schemaVersion: 2, manifests });
  await local.put(`${name}/index.json`, Buffer.from(index));
  for (const part of [manifest, ...parts]) await local.put(keyOf(hexOf(part)), part);
}

async function openTree(): Promise<Tree> {
  const shared = {
    log: silentLog,
    counters: new Counters(),
    refreshMs: 60_000,
    deadlineMs: 5000,
  };
  const registry = await openRegistry({ ...shared, store, prefix: '', stateDir: directory });
  blobs = new Blobs({ ...shared, registry, memoryBytes: 128 * MiB });
  const selection = { accepts: () => true, mayContain: () => true };
  const catalog = new Catalog({ ...shared, registry, blobs, selection, memoryBytes: MiB });
  return new Tree({ ...shared, registry, blobs, catalog, inodeKey: Buffer.alloc(32, 1) });
}

/** Open a blob by its path, and read so much of it from its beginning, as the kernel does. */
async function read(repository: string, hex: string, bytes: number): Promise<Buffer> {
  let ino = ROOT_INODE;
  for (const name of [repository, 'blobs', 'sha256', hex]) {
    ino = (await tree.lookup(ino, name)).attributes.ino;
  }
  const { handle } = await tree.open(ino);
  const whole = [];
  try {
    for (let at = 0; at < bytes; at += MiB) {
      whole.push(Buffer.from(await tree.read(handle, at, Math.min(MiB, bytes - at))));
    }
  } finally {
    tree.release(handle);
  }
  return Buffer.concat(whole);
}

/** Bytes asked for of a blob. */
function askedFor(hex: string): number {
  const gets = store.gets.filter(({ key }) => key === keyOf(hex));
  return gets.reduce((sum, { length = Infinity }) => sum + length, 0);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-next-layer-'));
  local = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  await putRepository('r', PARTS);
  store = new TamperingStore(local);
  tree = await openTree();
});

afterEach(async () => {
  await blobs.close();
  await rm(directory, { recursive: true, force: true });
});

describe('the layer after one that is read from its beginning', () => {
  it('has its beginning fetched, an eighth of the one before it, when that is nearly read', async () => {
    await read('r', FIRST, 24 * MiB);
    await expect.poll(() => askedFor(SECOND)).toBe(3 * MiB);
    expect(askedFor(THIRD)).toBe(0);
  });

  it('is fetched once all the same', async () => {
    expect((await read('r', FIRST, 24 * MiB)).equals(PARTS[1])).toBe(true);
    await expect.poll(() => askedFor(SECOND)).toBeGreaterThan(0);
    expect((await read('r', SECOND, 20 * MiB)).equals(PARTS[2])).toBe(true);
    expect(askedFor(SECOND)).toBe(20 * MiB);
  });

  it('is the config after the last one, and nothing after that', async () => {
    await read('r', THIRD, 2 * MiB);
    await expect.poll(() => askedFor(CONFIG)).toBe(500);
    await read('r', CONFIG, 500);
    await sleep(50);
    expect(askedFor(FIRST)).toBe(0);
  });

  it('is left alone after one so small that one GET brings it: who reads it may want no more', async () => {
    const small = randomBytes(MiB);
    await putRepository('small', [PARTS[0], small, PARTS[3]]);
    await read('small', hexOf(small), MiB);
    await sleep(50);
    expect(askedFor(THIRD)).toBe(0);
  });

  it('is left alone where only a part is read, or not from the beginning', async () => {
    await read('r', FIRST, 4096);
    await sleep(50);
    expect(askedFor(SECOND)).toBe(0);
  });

  it('is not taken from the image of another repository', async () => {
    const other = randomBytes(MiB);
    await putRepository('s', [PARTS[0], PARTS[1], other]);
    await read('r', FIRST, 4096);
    // The manifest used last is that of `s`, which has the same first layer.
    await read('s', hexOf(other), 4096);
    store.gets.length = 0;
    await read('r', FIRST, 24 * MiB);
    await sleep(50);
    expect(askedFor(hexOf(other))).toBe(0);
  });

  it('is wrong for whoever reads it, and right once it has healed', async () => {
    const flip = flipBit(5 * MiB);
    store.tamper = (key, bytes, position) =>
      key === keyOf(SECOND) ? flip(key, bytes, position) : bytes;
    await read('r', FIRST, 24 * MiB);
    await expect.poll(() => askedFor(SECOND)).toBeGreaterThan(0);
    await expect(read('r', SECOND, 20 * MiB)).rejects.toMatchObject({ code: 'EIO' });
    store.tamper = (_key, bytes) => bytes;
    expect((await read('r', SECOND, 20 * MiB)).equals(PARTS[2])).toBe(true);
  });

  it('may be missing: whoever opens it is told', async () => {
    await local.delete(keyOf(SECOND));
    await read('r', FIRST, 24 * MiB);
    await expect.poll(() => askedFor(SECOND)).toBeGreaterThan(0);
    await expect(read('r', SECOND, 4096)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
