import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Blobs } from '../blobs/blobs.js';
import { Catalog } from '../catalog/catalog.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import { OCI_MANIFEST } from '../oci/media-types.js';
import { openRegistry } from '../registry/open.js';
import { LocalStore } from '../store/local/local-store.js';
import { type Entry, ROOT_INODE } from './file-system.js';
import { Tree } from './tree.js';

const KEY = Buffer.alloc(32, 1);
const LAYER = Buffer.from('a layer');
const LAYER_HEX = createHash('sha256').update(LAYER).digest('hex');
const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    layers: [{ mediaType: 'x/y', digest: `sha256:${LAYER_HEX}`, size: LAYER.byteLength }],
  }),
);
const MANIFEST_HEX = createHash('sha256').update(MANIFEST).digest('hex');
const INDEX = JSON.stringify({
  schemaVersion: 2,
  manifests: [
    { mediaType: OCI_MANIFEST, digest: `sha256:${MANIFEST_HEX}`, size: MANIFEST.byteLength },
  ],
});

let directory: string;
let tree: Tree;

async function put(key: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(directory, key)), { recursive: true });
  await writeFile(join(directory, key), content);
}

async function openTree(kind: 'zot' | 'plain' = 'zot', refreshMs = 0): Promise<Tree> {
  const store = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  const shared = {
    log: silentLog,
    counters: new Counters(),
    refreshMs,
    deadlineMs: 3000,
    memoryBytes: 2 ** 22,
  };
  const registry = await openRegistry({ ...shared, store, kind, prefix: '', stateDir: directory });
  const blobs = new Blobs({ ...shared, registry });
  const selection = { accepts: () => true, mayContain: () => true };
  const catalog = new Catalog({ ...shared, registry, blobs, selection });
  return new Tree({ ...shared, registry, blobs, catalog, inodeKey: KEY });
}

/** Look a path up from the root; the references stay taken. */
async function find(path: string, from = tree): Promise<Entry> {
  let ino = ROOT_INODE;
  let entry: Entry | undefined;
  for (const name of path.split('/')) {
    entry = await from.lookup(ino, name);
    ino = entry.attributes.ino;
  }
  if (!entry) throw new Error('An empty path.');
  return entry;
}

async function readAll(path: string): Promise<string> {
  const { attributes } = await find(path);
  const { handle } = await tree.open(attributes.ino);
  const bytes = await tree.read(handle, 0, attributes.size + 1);
  tree.release(handle);
  return Buffer.from(bytes).toString();
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-tree-'));
  for (const repository of ['r', 's']) {
    await put(`${repository}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    await put(`${repository}/index.json`, INDEX);
  }
  await put(`storage/blobs/sha256/${LAYER_HEX}`, LAYER);
  await put(`storage/blobs/sha256/${MANIFEST_HEX}`, MANIFEST);
  tree = await openTree();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe('a repository', () => {
  it('is an OCI image layout', async () => {
    const { attributes } = await find('r');
    const names = (await tree.readdir(attributes.ino)).map((entry) => entry.name);
    expect(names).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect(await readAll('r/index.json')).toBe(INDEX);
    expect(await readAll('r/oci-layout')).toBe('{"imageLayoutVersion":"1.0.0"}');
    expect(await readAll(`r/blobs/sha256/${LAYER_HEX}`)).toBe('a layer');
  });

  it('has regular, read-only files of one link and the exact size', async () => {
    const { attributes } = await find(`r/blobs/sha256/${LAYER_HEX}`);
    expect(attributes).toMatchObject({ kind: 'file', size: 7, permissions: 0o444, nlink: 1 });
    expect((await find('r')).attributes).toMatchObject({ kind: 'directory', permissions: 0o555 });
  });

  it('always has blobs/sha256, and other algorithms only when they are used', async () => {
    await put('r/index.json', '{"schemaVersion":2,"manifests":null}');
    const blobs = await find('r/blobs');
    const names = (await tree.readdir(blobs.attributes.ino)).map((entry) => entry.name);
    expect(names).toEqual(['sha256']);
    await expect(tree.lookup(blobs.attributes.ino, 'sha512')).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it.each(['manifest.json', 'index.json.lock', 'ingest', '.umoci-1', '..', 'blobs/sha256/zz'])(
    'has no %s',
    async (name) => {
      await expect(find(`r/${name}`)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );

  it('has no name longer than those of a disk, counted in bytes', async () => {
    await expect(find('n'.repeat(255))).rejects.toMatchObject({ code: 'ENOENT' });
    for (const name of ['n'.repeat(256), 'ü'.repeat(128)]) {
      await expect(find(name)).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    }
  });
});

describe('inodes', () => {
  it('are one for one blob in every repository', async () => {
    const one = await find(`r/blobs/sha256/${LAYER_HEX}`);
    const other = await find(`s/blobs/sha256/${LAYER_HEX}`);
    expect(other.attributes.ino).toBe(one.attributes.ino);
  });

  it('are not shared by plain layouts that each have their own copy', async () => {
    for (const repository of ['r', 's']) {
      await put(`${repository}/blobs/sha256/${LAYER_HEX}`, LAYER);
      await put(`${repository}/blobs/sha256/${MANIFEST_HEX}`, MANIFEST);
    }
    const plain = await openTree('plain');
    const one = await find(`r/blobs/sha256/${LAYER_HEX}`, plain);
    const other = await find(`s/blobs/sha256/${LAYER_HEX}`, plain);
    expect(other.attributes.ino).not.toBe(one.attributes.ino);
  });

  it('are the same in listings, in lookups and after a remount', async () => {
    const { attributes } = await find('r/blobs/sha256');
    const listed = await tree.readdir(attributes.ino);
    const again = await openTree();
    for (const { name, attributes: shown } of listed) {
      const path = `r/blobs/sha256/${name}`;
      expect((await find(path)).attributes).toEqual(shown);
      expect((await find(path, again)).attributes.ino).toBe(shown.ino);
    }
  });

  it('of listed entries are referred to as by a lookup', async () => {
    const { attributes } = await find('r');
    const before = tree.status().inodes;
    const listed = await tree.readdir(attributes.ino);
    for (const entry of listed) {
      const referred = tree.refer(entry);
      expect(referred).toEqual(await find(`r/${entry.name}`));
      expect(await tree.getattr(referred.attributes.ino)).toEqual(entry.attributes);
    }
    expect(tree.status().inodes).toBe(before + listed.length);
    for (const entry of listed) tree.forget(entry.attributes.ino, 2);
    expect(tree.status().inodes).toBe(before);
    const foreign = { name: 'x', attributes };
    expect(() => tree.refer(foreign)).toThrow(TypeError);
  });

  it('are another one for each version of index.json', async () => {
    const before = await find('r/index.json');
    await put('r/index.json', '{"schemaVersion":2,"manifests":[]}');
    const after = await find('r/index.json');
    expect(after.attributes.ino).not.toBe(before.attributes.ino);
    expect(after.entryTimeout).toBe(0);
  });

  it('are forgotten when the kernel forgets them', async () => {
    const before = tree.status().inodes;
    const names = ['r', 'r/blobs', 'r/blobs/sha256', `r/blobs/sha256/${LAYER_HEX}`, 'r/index.json'];
    for (let round = 0; round < 3; round++) {
      for (const name of names) await find(name);
    }
    expect(tree.status().inodes).toBe(before + names.length);
    const found = await Promise.all(names.map((name) => find(name)));
    for (const { attributes } of found) tree.forget(attributes.ino, 1000);
    expect(tree.status().inodes).toBe(before);
  });
});

describe('an open index.json', () => {
  it('is one version from open to close', async () => {
    const { attributes } = await find('r/index.json');
    const { handle } = await tree.open(attributes.ino);
    await put('r/index.json', '{"schemaVersion":2,"manifests":[]}');
    await find('r/index.json');
    expect(Buffer.from(await tree.read(handle, 0, 10_000)).toString()).toBe(INDEX);
    tree.release(handle);
  });

  it('keeps the blobs of its version reachable', async () => {
    const { attributes } = await find('r/index.json');
    const { handle } = await tree.open(attributes.ino);
    await put('r/index.json', '{"schemaVersion":2,"manifests":[]}');
    await find('r/index.json');
    expect(await readAll(`r/blobs/sha256/${LAYER_HEX}`)).toBe('a layer');
    tree.release(handle);
  });
});

describe('errors', () => {
  it('say ENOTDIR, EISDIR and EBADF where a system call would', async () => {
    const file = (await find('r/index.json')).attributes.ino;
    await expect(tree.lookup(file, 'x')).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(tree.readdir(file)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(tree.open(ROOT_INODE)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(tree.read(99, 0, 1)).rejects.toMatchObject({ code: 'EBADF' });
    expect(tree.release(99)).toEqual({ verified: false });
  });

  it('say ENOENT at open for a blob that is not stored', async () => {
    await rm(join(directory, `storage/blobs/sha256/${LAYER_HEX}`));
    const { attributes } = await find(`r/blobs/sha256/${LAYER_HEX}`);
    await expect(tree.open(attributes.ino)).rejects.toMatchObject({ code: 'ENOENT' });
    const { attributes: parent } = await find('r/blobs/sha256');
    const names = (await tree.readdir(parent.ino)).map((entry) => entry.name);
    expect(names).toEqual([MANIFEST_HEX]);
  });

  it('say EIO for bytes that do not hash to their name', async () => {
    await put(`storage/blobs/sha256/${LAYER_HEX}`, 'A layer');
    await expect(readAll(`r/blobs/sha256/${LAYER_HEX}`)).rejects.toMatchObject({ code: 'EIO' });
  });
});

describe('the marker for a zot on top of the mount', () => {
  it('is found, says 1 and is not listed', async () => {
    expect(await readAll('_restore_complete')).toBe('1');
    const names = (await tree.readdir(ROOT_INODE)).map((entry) => entry.name);
    expect(names).not.toContain('_restore_complete');
  });
});
