import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.js';
import { Blobs } from '../blobs/blobs.js';
import { Catalog } from '../catalog/catalog.js';
import { Counters } from '../observe/counters.js';
import { silentLog } from '../observe/log.js';
import { openRegistry } from '../registry/open.js';
import { LocalStore } from '../store/local/local-store.js';
import { type Change, type Entry, ROOT_INODE } from './file-system.js';
import { Tree } from './tree.js';

const LAYER = Buffer.from('a layer');
const HEX = createHash('sha256').update(LAYER).digest('hex');
const indexOf = (...annotations: string[]) =>
  JSON.stringify({
    schemaVersion: 2,
    manifests: [{ mediaType: 'x/y', digest: `sha256:${HEX}`, size: LAYER.byteLength }],
    annotations: Object.fromEntries(annotations.map((one) => [one, one])),
  });

let directory: string;
let tree: Tree;
let catalog: Catalog;
let changes: Change[];

const put = async (path: string, content: string | Buffer) => {
  const file = join(directory, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
};

async function find(path: string): Promise<Entry> {
  let entry: Entry | undefined;
  for (const name of path.split('/')) {
    entry = await tree.lookup(entry?.attributes.ino ?? ROOT_INODE, name);
  }
  if (!entry) throw new Error('An empty path.');
  return entry;
}
const inoOf = async (path: string) => (await find(path)).attributes.ino;

beforeEach(async () => {
  directory = await makeTemporaryDirectory('changes');
  await put('team/r/oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  await put('team/r/index.json', indexOf());
  await put(`storage/blobs/sha256/${HEX}`, LAYER);
  const shared = { log: silentLog, counters: new Counters(), memoryBytes: 2 ** 24 };
  const times = { refreshMs: 3_600_000, deadlineMs: 3000 };
  const store = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  const registry = await openRegistry({
    ...shared,
    ...times,
    store,
    prefix: '',
    stateDir: directory,
  });
  const blobs = new Blobs({ ...shared, ...times, registry });
  const selection = { accepts: (path: string) => path !== 'hidden', mayContain: () => true };
  catalog = new Catalog({ ...shared, ...times, registry, blobs, selection });
  const inodeKey = Buffer.alloc(32, 1);
  tree = new Tree({ ...shared, ...times, registry, blobs, catalog, inodeKey });
  changes = [];
  tree.watch((change) => changes.push(change));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('a new index.json', () => {
  it('is told of with all that shows it, once the store was asked', async () => {
    const repository = await inoOf('team/r');
    const algorithm = await inoOf('team/r/blobs/sha256');
    const before = await find('team/r/index.json');
    expect(before.entryTimeout).toBeGreaterThan(3_500_000);
    expect(before.entryTimeout).toBeLessThan(3_600_000);
    await put('team/r/index.json', indexOf('new'));
    expect(changes).toEqual([]);
    expect(await catalog.refreshRepository('team/r')).toBe('changed');
    const name = { kind: 'name', directory: repository, name: 'index.json' };
    expect(changes).toContainEqual(name);
    expect(changes).toContainEqual({ kind: 'listing', directory: algorithm });
    expect(await inoOf('team/r/index.json')).not.toBe(before.attributes.ino);
  });

  it('is not told of when it is the same', async () => {
    await find('team/r/index.json');
    expect(await catalog.refreshRepository('team/r')).toBe('unchanged');
    expect(changes.filter(({ kind }) => kind === 'name')).toEqual([]);
  });

  it('is told of when it is gone', async () => {
    await find('team/r/index.json');
    await rm(join(directory, 'team/r'), { recursive: true });
    expect(await catalog.refreshRepository('team/r')).toBe('absent');
    expect(changes.map(({ kind }) => kind)).toContain('name');
    await expect(find('team/r/index.json')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is told to nobody who does not want to know any more', async () => {
    const late: Change[] = [];
    tree.watch((change) => late.push(change))();
    await find('team/r/index.json');
    await put('team/r/index.json', indexOf('new'));
    await catalog.refreshRepository('team/r');
    expect(changes.length).toBeGreaterThan(0);
    expect(late).toEqual([]);
  });

  it('is remembered no longer than it is known to be the newest', async () => {
    const old = await inoOf('team/r/index.json');
    const parent = await inoOf('team/r');
    const listed = (await tree.readdir(parent)).find(({ name }) => name === 'index.json');
    await put('team/r/index.json', indexOf('new'));
    await catalog.refreshRepository('team/r');
    // An entry of the older listing.
    if (listed === undefined) throw new Error('not listed');
    expect(tree.refer(listed)).toMatchObject({ attributes: { ino: old }, entryTimeout: 0 });
    catalog.refresh();
    expect((await find('team/r/index.json')).entryTimeout).toBeGreaterThan(0);
  });
});

describe('a repository that is new', () => {
  it('is found at once when it was named, and the listings on its way are told of', async () => {
    const team = await inoOf('team');
    await put('team/new/oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    await put('team/new/index.json', indexOf());
    const namesIn = async (ino: number) => (await tree.readdir(ino)).map(({ name }) => name);
    expect(await namesIn(team)).toEqual(['r']);
    expect(await catalog.refreshRepository('team/new')).toBe('changed');
    expect(changes).toContainEqual({ kind: 'listing', directory: team });
    expect(changes).toContainEqual({ kind: 'listing', directory: ROOT_INODE });
    expect(await namesIn(team)).toEqual(['new', 'r']);
  });

  it.each(['nothing', 'hidden', '', 'a//b', '../r', 'team/r/index.json', 'team/r:v1'])(
    'is absent if it is %j',
    async (repository) => {
      await put('hidden/index.json', indexOf());
      expect(await catalog.refreshRepository(repository)).toBe('absent');
    },
  );
});

describe('wrong bytes of a blob', () => {
  it('are told of when they are found out, before its reader has its error', async () => {
    const ino = await inoOf(`team/r/blobs/sha256/${HEX}`);
    await put(`storage/blobs/sha256/${HEX}`, 'A layer');
    const { handle } = await tree.open(ino);
    const error = await tree.read(handle, 0, 100).catch((reason: unknown) => {
      expect(changes).toEqual([{ kind: 'bytes', ino }]);
      return reason;
    });
    expect(error).toMatchObject({ code: 'EIO' });
    tree.release(handle);
  });
});
