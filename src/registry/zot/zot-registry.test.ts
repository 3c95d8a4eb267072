import { describe, expect, test, vi } from 'vitest';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { localBucket } from '../../../test/support/local-bucket.js';
import {
  emptyLayout,
  openForTest,
  temporaryStateDir,
  walkRepositories,
} from '../../../test/support/registries.js';
import { Counters } from '../../observe/counters.js';
import type { Digest } from '../../oci/digest.js';
import { StoreError } from '../../store/errors.js';
import type { BlobLocation, Registry } from '../registry.js';

const A = `sha256:${'a'.repeat(64)}` as Digest;
const B = `sha256:${'b'.repeat(64)}` as Digest;
const E = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Digest;
const S512 = `sha512:${'c'.repeat(128)}` as Digest;
const blob = (directory: string, digest: Digest): string =>
  `${directory === '' ? '' : `${directory}/`}blobs/${digest.replace(':', '/')}`;
const keys = (locations: readonly BlobLocation[] | undefined): string[] | undefined =>
  locations?.map(({ key }) => key);

async function openMemory(objects: Record<string, string>): Promise<[Registry, MemoryStore]> {
  const store = new MemoryStore(objects);
  const registry = await openForTest(store);
  store.requests.length = 0;
  return [registry, store];
}

/** Rows of the table of layouts that concern which directories are repositories. */
describe('repositories', () => {
  test.each<[string, Record<string, string>, string[]]>([
    ['1: a plain one', { ...emptyLayout('r'), [blob('r', A)]: 'x' }, ['r']],
    ['9: beside shared blobs', { ...emptyLayout('r'), [blob('storage', A)]: 'x' }, ['r']],
    ['12: called storage', { ...emptyLayout('storage'), [blob('storage', A)]: 'x' }, ['storage']],
    ['14: called blobs', { ...emptyLayout('blobs'), [blob('blobs', A)]: 'x' }, ['blobs']],
    [
      '15: ending in blobs',
      { ...emptyLayout('myblobs'), ...emptyLayout('x/blobs') },
      ['myblobs', 'x/blobs'],
    ],
    [
      '16: nested',
      { ...emptyLayout('a'), ...emptyLayout('a/b'), [blob('a', A)]: 'x' },
      ['a', 'a/b'],
    ],
    ['19: blobs only', { ...emptyLayout('z'), [blob('r', A)]: 'x' }, ['z']],
    [
      '19: without index.json',
      { ...emptyLayout('z'), 'r/oci-layout': '{}', [blob('r', A)]: 'x' },
      ['z'],
    ],
    [
      '19: without oci-layout',
      { ...emptyLayout('z'), 'r/index.json': '{}', [blob('r', A)]: 'x' },
      ['z'],
    ],
    ['21: without tags', emptyLayout('r'), ['r']],
    [
      '37: beside internals',
      {
        ...emptyLayout('r'),
        'r/.uploads/u1': 'x',
        ...emptyLayout('r/.sync/u/r'),
        ...emptyLayout('_trivy/x'),
        _restore_complete: '1',
        'cache.db': 'x',
        'meta.db': 'x',
      },
      ['r'],
    ],
    [
      '42: beside a blob store',
      {
        ...emptyLayout('r'),
        ...emptyLayout('_blobstore'),
        [blob('_blobstore', A)]: 'x',
        _global_blobstore_migrated: '1',
      },
      ['r'],
    ],
    [
      'with names of no registry',
      { ...emptyLayout('Foo'), ...emptyLayout('a..b'), ...emptyLayout('ok') },
      ['ok'],
    ],
    ['the root itself', { ...emptyLayout(''), ...emptyLayout('a') }, ['', 'a']],
  ])('vector %s', async (_, objects, expected) => {
    const bucket = await localBucket(objects);
    try {
      const registry = await openForTest(bucket.store, { kind: 'zot' });
      expect(await walkRepositories(registry)).toEqual(expected);
      const scan = await registry.scan();
      expect(scan.repositories.map(({ name }) => name)).toEqual(expected);
    } finally {
      await bucket.remove();
    }
  });

  test.each(['index.json', 'oci-layout'])(
    'vector 18: one called %s inside another',
    async (name) => {
      const [registry] = await openMemory({ ...emptyLayout('a'), ...emptyLayout(`a/${name}`) });
      const listing = await registry.list('a');
      expect(listing.repository).toBeDefined();
      expect(listing.children).toEqual([]);
      expect(listing.ignored).toEqual([`a/${name}/`]);
      const scan = await registry.scan();
      expect(scan.repositories.map(({ name: shown }) => shown)).toEqual(['a']);
      expect(scan.shadowed).toEqual([`a/${name}`]);
    },
  );

  test.each(['blobs', 'blobs/sha256'])('vector 18: one called %s inside another', async (name) => {
    const [registry] = await openMemory({
      ...emptyLayout('a'),
      ...emptyLayout(`a/${name}`),
      [blob('a', A)]: 'x',
    });
    expect(await walkRepositories(registry)).toEqual(['a']);
    expect(keys(registry.candidates('a', A))).toContain(blob('a', A));
    expect((await registry.scan()).shadowed).toEqual([`a/${name}`]);
  });

  test('vector 38: markers of directories are nothing', async () => {
    const [registry] = await openMemory({
      'r/': '',
      'r/blobs/': '',
      'r/blobs/sha256/': '',
      '/': '',
      x_$folder$: '',
      ...emptyLayout('ok'),
      'ok/': '',
    });
    expect(await walkRepositories(registry)).toEqual(['ok']);
    const root = await registry.list('');
    expect(root.ignored).toEqual(['x_$folder$', '/']);
    expect((await registry.list('ok')).ignored).toEqual(['ok/']);
    const { repositories, ignored } = await registry.scan();
    expect(repositories).toEqual([{ name: 'ok', placeholders: 0 }]);
    expect(ignored).toBe(6);
  });

  test('vector 29: bad blob names are no blobs', async () => {
    const hex = 'a'.repeat(64);
    const [registry] = await openMemory({
      ...emptyLayout('r'),
      [`r/blobs/sha256/${hex.slice(1)}`]: 'x',
      [`r/blobs/sha256/${hex}.tmp`]: 'x',
      [`r/blobs/sha256/${hex}/extra`]: 'x',
      [`r/blobs/sha256:${hex}`]: 'x',
    });
    expect(await registry.locate('r', { digest: A, size: 1 })).toEqual([]);
    expect((await registry.scan()).ignored).toBe(4);
  });

  test('are listed in one paged LIST, and say whether they have blobs', async () => {
    const objects = {
      ...emptyLayout('r'),
      [blob('r', A)]: 'x',
      ...emptyLayout('r/b'),
      ...emptyLayout('r/a-b'),
    };
    const [registry, store] = await openMemory(objects);
    store.pageSize = 2;
    const listing = await registry.list('r');
    expect(listing.repository?.ownBlobs).toBe(true);
    expect(listing.repository?.index).toMatchObject({ key: 'r/index.json', size: 36 });
    expect(listing.repository?.ociLayout).toMatchObject({ key: 'r/oci-layout' });
    expect(listing.children).toEqual(['a-b', 'b']);
    expect(listing.empty).toBe(false);
    expect(store.requests.every(({ verb, key }) => verb === 'LIST' && key === 'r/')).toBe(true);
    expect(store.requests).toHaveLength(3);
    expect((await registry.list('r/b')).repository?.ownBlobs).toBe(false);
    expect(await registry.list('none')).toEqual({ children: [], empty: true, ignored: [] });
  });

  test.each(['..', 'a/..', 'A', '.sync', 'a//b', '/'])('are not looked for at %j', async (path) => {
    const [registry, store] = await openMemory(emptyLayout('r'));
    expect(await registry.list(path)).toMatchObject({ children: [], empty: true });
    expect(await registry.readIndex(path, { maxBytes: 10 })).toBeUndefined();
    expect(await registry.readOciLayout(path)).toBeUndefined();
    expect(store.requests).toEqual([]);
  });
});

describe('documents', () => {
  test('are served as stored, and only when they changed', async () => {
    const [registry, store] = await openMemory({
      'r/index.json': '{"odd" : 1}',
      'r/oci-layout': '',
    });
    const index = await registry.readIndex('r', { maxBytes: 1000 });
    if (index === undefined || index === 'unchanged') throw new Error('no index');
    expect(Buffer.from(index.bytes).toString()).toBe('{"odd" : 1}');
    const { etag = '' } = index.info;
    expect(await registry.readIndex('r', { maxBytes: 1000, ifNoneMatch: etag })).toBe('unchanged');
    store.objects.set('r/index.json', Buffer.from('{}'));
    expect(await registry.readIndex('r', { maxBytes: 1000, ifNoneMatch: etag })).toMatchObject({
      info: { size: 2 },
    });
    expect((await registry.readOciLayout('r'))?.bytes).toHaveLength(0);
    expect(await registry.readIndex('none', { maxBytes: 1000 })).toBeUndefined();
    expect(await registry.readOciLayout('none')).toBeUndefined();
  });

  test('that are too long are refused by their head', async () => {
    const [registry] = await openMemory({ 'r/index.json': 'x'.repeat(1001), 'r/oci-layout': '{}' });
    await expect(registry.readIndex('r', { maxBytes: 1000 })).rejects.toThrow(/1001 bytes/);
  });

  test('that the store denies are an error', async () => {
    const [registry, store] = await openMemory(emptyLayout('r'));
    store.before = () => {
      throw new StoreError('AccessDenied', 'No.');
    };
    await expect(registry.readIndex('r', { maxBytes: 1000 })).rejects.toMatchObject({
      code: 'AccessDenied',
    });
  });
});

describe('candidates', () => {
  test('are all places, without a request', async () => {
    const [registry, store] = await openMemory({ ...emptyLayout('r'), [blob('r', A)]: 'x' });
    expect(new Set(keys(registry.candidates('r', A)))).toEqual(
      new Set([blob('r', A), blob('_blobstore', A), blob('storage', A)]),
    );
    expect(store.requests).toEqual([]);
  });

  test.each<[string, Record<string, string>, string]>([
    ['the repository', { ...emptyLayout('r'), [blob('r', A)]: 'x' }, 'r'],
    ['storage', { ...emptyLayout('r'), [blob('storage', A)]: 'x' }, 'storage'],
    ['_blobstore', { ...emptyLayout('r'), [blob('_blobstore', A)]: 'x' }, '_blobstore'],
    [
      'storage, half migrated',
      { ...emptyLayout('r'), [blob('r', A)]: '', [blob('storage', A)]: 'x' },
      'storage',
    ],
  ])('begin with what detection saw: %s', async (_, objects, first) => {
    const [registry] = await openMemory(objects);
    expect(keys(registry.candidates('r', A))?.[0]).toBe(blob(first, A));
  });

  test('follow success', async () => {
    const [registry] = await openMemory({ ...emptyLayout('r'), [blob('r', A)]: 'x' });
    for (let opens = 0; opens < 3; opens += 1) {
      const shared = registry.candidates('r', A).find(({ key }) => key === blob('storage', A));
      if (shared === undefined) throw new Error('no such candidate');
      registry.succeeded(shared);
    }
    expect(keys(registry.candidates('r', B))?.[0]).toBe(blob('storage', B));
  });

  test('end with the repository where a listing showed that it has no blobs', async () => {
    const [registry] = await openMemory({
      ...emptyLayout('r'),
      [blob('r', A)]: 'x',
      ...emptyLayout('s'),
    });
    expect(keys(registry.candidates('s', A))?.[0]).toBe(blob('s', A));
    await registry.list('s');
    expect(keys(registry.candidates('s', A))?.at(-1)).toBe(blob('s', A));
    expect(keys(registry.candidates('r', A))?.[0]).toBe(blob('r', A));
  });

  test('vector 12: name the shared path of a repository called storage once', async () => {
    const [registry] = await openMemory({ ...emptyLayout('storage'), [blob('storage', A)]: 'x' });
    const named = keys(registry.candidates('storage', A));
    expect(named?.toSorted()).toEqual([blob('_blobstore', A), blob('storage', A)]);
  });

  test('vector 26: keep the algorithm', async () => {
    const [registry] = await openMemory(emptyLayout('r'));
    expect(keys(registry.candidates('r', S512))).toContain(`r/blobs/sha512/${'c'.repeat(128)}`);
  });

  test('of the root lie in its own blobs', async () => {
    const [registry] = await openMemory({ ...emptyLayout(''), [blob('', A)]: 'x' });
    expect(keys(registry.candidates('', A))?.[0]).toBe(blob('', A));
  });
});

describe('the copies of a blob', () => {
  const wanted = { digest: A, size: 5 };

  test('vector 2: are found wherever the bytes are, both ways round', async () => {
    for (const [asks, has] of [
      ['a', 'z'],
      ['z', 'a'],
    ] as const) {
      const objects = {
        ...emptyLayout(asks),
        ...emptyLayout(has),
        [blob(asks, A)]: '',
        [blob(has, A)]: 'bytes',
      };
      const [registry, store] = await openMemory(objects);
      expect(registry.located(asks, wanted)).toBeUndefined();
      expect(await registry.locate(asks, wanted)).toEqual([
        { store, key: blob(has, A), source: 'other', size: 5 },
      ]);
      expect(keys(registry.located(asks, wanted))).toEqual([blob(has, A)]);
    }
  });

  test('come in an order that does not depend on who asks first', async () => {
    const [registry] = await openMemory({
      ...emptyLayout('m'),
      [blob('b', A)]: 'bytes',
      [blob('a', A)]: 'wrong size',
      [blob('a-b', A)]: 'bytes',
      [blob('a.b', A)]: 'bytes',
      [blob('storage', A)]: 'bytes',
      [blob('_blobstore', A)]: 'bytes',
      [blob('m', A)]: 'bytes',
      [blob('e', A)]: '',
    });
    expect(keys(await registry.locate('m', wanted))).toEqual(
      ['m', '_blobstore', 'storage', 'a-b', 'a.b', 'b', 'a'].map((name) => blob(name, A)),
    );
    expect(keys(await registry.locate('e', { digest: A, size: 10 }))?.[0]).toBe(blob('a', A));
  });

  test('vector 4: are none where only placeholders are, and the scan names them', async () => {
    const [registry] = await openMemory({
      ...emptyLayout('a'),
      ...emptyLayout('b'),
      [blob('a', A)]: '',
      [blob('b', A)]: '',
      [blob('b', B)]: 'fine',
    });
    expect(await registry.locate('a', wanted)).toEqual([]);
    const scan = await registry.scan();
    expect(scan.lost).toEqual([{ digest: A, directories: ['a', 'b'] }]);
    expect(scan.repositories).toEqual([
      { name: 'a', placeholders: 1 },
      { name: 'b', placeholders: 1 },
    ]);
  });

  test('vector 5: of nothing are no placeholders', async () => {
    const [registry] = await openMemory({ ...emptyLayout('r'), [blob('r', E)]: '' });
    const scan = await registry.scan();
    expect(scan.lost).toEqual([]);
    expect(scan.repositories).toEqual([{ name: 'r', placeholders: 0 }]);
  });

  test('vector 19: serve others though their directory is no repository', async () => {
    const [registry] = await openMemory({
      ...emptyLayout('a'),
      [blob('a', A)]: '',
      [blob('r', A)]: 'bytes',
      [blob('Odd', A)]: 'bytes',
    });
    expect(keys(await registry.locate('a', wanted))).toEqual([blob('Odd', A), blob('r', A)]);
    expect((await registry.scan()).incomplete).toEqual(['Odd', 'r']);
  });

  test('vector 45: a placeholder in the blob store is none either', async () => {
    const [registry] = await openMemory({
      ...emptyLayout('a'),
      [blob('_blobstore', A)]: '',
      [blob('a', A)]: '',
      [blob('_blobstore', B)]: '',
      [blob('a', B)]: 'bytes',
    });
    expect(await registry.locate('a', wanted)).toEqual([]);
    expect(keys(await registry.locate('a', { ...wanted, digest: B }))).toEqual([blob('a', B)]);
  });

  test.each(['r/.sync/u/r', 'r/.uploads', '_trivy/r'])(
    'are not taken from %s',
    async (directory) => {
      const [registry] = await openMemory({ ...emptyLayout('r'), [blob(directory, A)]: 'bytes' });
      expect(await registry.locate('r', wanted)).toEqual([]);
      const { ignored, incomplete } = await registry.scan();
      expect({ ignored, incomplete }).toEqual({ ignored: 0, incomplete: [] });
    },
  );

  test('take one listing, however many ask at once', async () => {
    const counters = new Counters();
    const store = new MemoryStore({
      ...emptyLayout('a'),
      [blob('a', A)]: '',
      [blob('b', A)]: 'bytes',
    });
    const registry = await openForTest(store, { counters });
    store.requests.length = 0;
    await Promise.all(['a', 'b', 'c'].map((name) => registry.locate(name, wanted)));
    await registry.locate('a', { ...wanted, digest: B });
    await registry.scan();
    expect(store.requests).toEqual([{ verb: 'LIST', key: '' }]);
    expect(counters.get('registry.flatList')).toBe(1);
  });

  test('are known after a restart, without a request', async () => {
    const stateDir = temporaryStateDir();
    const store = new MemoryStore({
      ...emptyLayout('a'),
      [blob('a', A)]: '',
      [blob('b', A)]: 'bytes',
    });
    await (await openForTest(store, { stateDir })).locate('a', wanted);
    const registry = await openForTest(store, { stateDir, refreshMs: 0 });
    store.requests.length = 0;
    expect(keys(await registry.locate('a', wanted))).toEqual([blob('b', A)]);
    expect(store.requests).toEqual([]);
    // Who asks again found nothing there: as soon as it is old enough, the store is listed.
    await vi.waitFor(async () => {
      await registry.locate('a', wanted);
      expect(store.count('LIST')).toBe(1);
    });
  });

  test('of an old listing prove no absence', async () => {
    const store = new MemoryStore({ ...emptyLayout('a'), [blob('b', A)]: 'bytes' });
    const registry = await openForTest(store, { refreshMs: 0 });
    await registry.locate('a', wanted);
    await vi.waitFor(() => {
      expect(registry.located('a', { ...wanted, digest: B })).toBeUndefined();
    });
    expect(keys(registry.located('a', wanted))).toEqual([blob('b', A)]);
  });
});
