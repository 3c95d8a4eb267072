import { describe, expect, test } from 'vitest';
import { localBucket } from '../../../test/support/local-bucket.js';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { emptyLayout, openForTest, walkRepositories } from '../../../test/support/registries.js';
import type { Digest } from '../../oci/digest.js';
import { OCI_LAYOUT_BYTES } from '../../oci/layout.js';
import { StoreError } from '../../store/errors.js';
import { RootNotFoundError, SourceRefusedError } from '../errors.js';

const HEX = 'a'.repeat(64);
const A = `sha256:${HEX}` as Digest;
const plain = { kind: 'plain' } as const;

describe('plain layouts', () => {
  test('lie at any path, hidden ones and nested ones included in the rule', async () => {
    const bucket = await localBucket({
      ...emptyLayout('My Images/Größe'),
      ...emptyLayout('My Images/Größe/nested'),
      ...emptyLayout('.git/x'),
      ...emptyLayout('_x'),
      ...emptyLayout('blobs'),
      'only/oci-layout': '{}',
    });
    try {
      const registry = await openForTest(bucket.store, plain);
      const expected = ['My Images/Größe', 'My Images/Größe/nested', 'blobs'];
      expect(await walkRepositories(registry)).toEqual(expected);
      const { repositories } = await registry.scan();
      expect(repositories.map(({ name }) => name)).toEqual(expected);
      expect(registry.isComponent('My Images')).toBe(true);
      expect(registry.isComponent('..')).toBe(false);
    } finally {
      await bucket.remove();
    }
  });

  test('may be the root itself', async () => {
    const store = new MemoryStore({ ...emptyLayout('a/b'), [`a/b/blobs/sha256/${HEX}`]: 'x' });
    const registry = await openForTest(store, { ...plain, prefix: 'a/b' });
    expect(await walkRepositories(registry)).toEqual(['']);
    expect(registry.candidates('', A)).toEqual([
      { store, key: `a/b/blobs/sha256/${HEX}`, source: 'repository' },
    ]);
  });

  test('get the oci-layout that they lack', async () => {
    const registry = await openForTest(new MemoryStore({ 'r/index.json': '{}' }), plain);
    const { repository } = await registry.list('r');
    expect(repository).toMatchObject({ ownBlobs: false, index: { key: 'r/index.json' } });
    expect(repository?.ociLayout).toBeUndefined();
    expect((await registry.readOciLayout('r'))?.bytes).toEqual(OCI_LAYOUT_BYTES);
    expect(await registry.readIndex('r', { maxBytes: 10 })).toMatchObject({ info: { size: 2 } });
  });

  test('keep the oci-layout that they have', async () => {
    const registry = await openForTest(
      new MemoryStore({ 'r/index.json': '{}', 'r/oci-layout': 'odd' }),
      plain,
    );
    expect(Buffer.from((await registry.readOciLayout('r'))?.bytes ?? '').toString()).toBe('odd');
  });

  test('have each blob in one place only, without placeholders', async () => {
    const store = new MemoryStore({ ...emptyLayout('r'), [`s/blobs/sha256/${HEX}`]: 'x' });
    const registry = await openForTest(store, plain);
    store.requests.length = 0;
    expect(registry.candidates('r', A)).toEqual([
      { store, key: `r/blobs/sha256/${HEX}`, source: 'repository' },
    ]);
    expect(registry.located('r', { digest: A, size: 1 })).toBeUndefined();
    expect(await registry.locate('r', { digest: A, size: 1 })).toEqual([]);
    expect(store.requests).toEqual([]);
    expect(registry.scope('r')).not.toBe(registry.scope('s'));
  });

  test('are not looked for below a doubled prefix', async () => {
    const registry = await openForTest(new MemoryStore(emptyLayout('zot/zot/r')), {
      ...plain,
      prefix: 'zot',
    });
    expect(await walkRepositories(registry)).toEqual(['zot/r']);
  });

  test('must be there where they were said to be', async () => {
    const store = new MemoryStore(emptyLayout('r'));
    await expect(openForTest(store, { ...plain, root: 'x' })).rejects.toThrow(RootNotFoundError);
    const { warnings } = await openForTest(store, { ...plain, prefix: 'x' });
    expect(warnings).toEqual([expect.stringContaining('Nothing is stored below x')]);
  });

  test('may lie in a store that refuses to be listed', async () => {
    const store = new MemoryStore({ 'r/index.json': '{}' });
    store.before = ({ verb, key }) => {
      if (verb === 'LIST' || !store.objects.has(key)) throw new StoreError('AccessDenied', 'No.');
    };
    const registry = await openForTest(store, plain);
    expect(registry.listable).toBe(false);
    expect(await registry.readIndex('x', { maxBytes: 10 })).toBeUndefined();
    expect((await registry.readOciLayout('r'))?.bytes).toEqual(OCI_LAYOUT_BYTES);
  });
});

describe('a shared blob directory', () => {
  const objects = {
    ...Object.fromEntries(
      Object.entries(emptyLayout('r')).map(([key, body]) => [`p/${key}`, body]),
    ),
    [`p/shared/sha256/${HEX}`]: 'x',
    [`p/r/blobs/sha256/${HEX}`]: 'x',
    'p/shared/sha256/README': 'x',
  };

  test.each([
    ['shared', `p/shared/sha256/${HEX}`],
    ['shared/', `p/shared/sha256/${HEX}`],
    ['/elsewhere/blobs', `elsewhere/blobs/sha256/${HEX}`],
  ])('vector 56: named %s is the only place of blobs', async (sharedBlobDir, key) => {
    const store = new MemoryStore(objects);
    const registry = await openForTest(store, { prefix: 'p', sharedBlobDir });
    expect(registry.kind).toBe('plain');
    expect(registry.candidates('r', A)).toEqual([{ store, key, source: 'shared' }]);
    expect(registry.scope('r')).toBe(registry.scope('s'));
    const outside = sharedBlobDir.startsWith('/') ? 'elsewhere/blobs/' : undefined;
    expect(registry.areas[0]?.blobsElsewhere).toBe(outside);
    expect(registry.areas[0]?.rules.sharedBlobs).toBe(outside ? undefined : 'shared/');
  });

  test('is not shown, and its blobs are no strange keys', async () => {
    const registry = await openForTest(new MemoryStore(objects), {
      prefix: 'p',
      sharedBlobDir: 'shared',
    });
    expect((await registry.list('')).children).toEqual(['r']);
    expect(await registry.scan()).toMatchObject({ ignored: 1, lost: [] });
  });

  test.each(['', '.', '../x', 'a//b', '/'])('may not be %j', async (sharedBlobDir) => {
    const opening = openForTest(new MemoryStore(objects), { prefix: 'p', sharedBlobDir });
    await expect(opening).rejects.toThrow(SourceRefusedError);
  });

  test('has no meaning for zot', async () => {
    const options = { kind: 'zot', sharedBlobDir: 'shared' } as const;
    await expect(openForTest(new MemoryStore(objects), options)).rejects.toThrow(
      '--registry plain',
    );
  });
});
