import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../test/support/memory-store.js';
import { emptyLayout, openForTest, walkRepositories } from '../../test/support/registries.js';
import type { Digest } from '../oci/digest.js';
import { StoreError } from '../store/errors.js';
import { RoutedRegistry } from './routed.js';

const HEX = 'a'.repeat(64);
const A = `sha256:${HEX}` as Digest;
const blob = (repository: string): string => `${repository}/blobs/sha256/${HEX}`;

async function route(main: MemoryStore, other: MemoryStore, [mainRoot, otherRoot] = ['', '']) {
  const open = (store: MemoryStore, root: string) =>
    openForTest(store, { kind: 'zot', root, mayBeEmpty: true });
  return new RoutedRegistry(
    { registry: await open(main, mainRoot), store: main.name, root: mainRoot },
    [{ route: 'a', registry: await open(other, otherRoot), store: other.name, root: otherRoot }],
  );
}

describe('a registry of several stores', () => {
  test('vector 41: is one tree, each name in its own store', async () => {
    const main = new MemoryStore({
      ...emptyLayout('r'),
      ...emptyLayout('a'),
      ...emptyLayout('a/unreachable'),
      [blob('a')]: 'main',
    });
    const other = new MemoryStore(
      {
        ...emptyLayout('zot-a/zot-a/a'),
        ...emptyLayout('zot-a/zot-a/a/x'),
        ...emptyLayout('zot-a/zot-a/a/blobs'),
        ...emptyLayout('zot-a/zot-a/b'),
      },
      'other',
    );
    const registry = await route(main, other, ['', 'zot-a/zot-a']);
    const expected = ['a', 'a/x', 'r'];
    expect(await walkRepositories(registry)).toEqual(expected);
    const scan = await registry.scan();
    expect(scan.repositories.map(({ name }) => name)).toEqual(expected);
    expect(scan.shadowed).toEqual(['a/blobs']);
    const names = ['a', 'r', 'a/x', 'a/unreachable', 'b'];
    expect(
      registry.areas.map((area) => [area.root, names.filter((name) => area.serves(name))]),
    ).toEqual([
      ['', ['a', 'r', 'b']],
      ['zot-a/zot-a/', ['a/x', 'a/unreachable']],
    ]);
    const listing = await registry.list('a');
    expect(listing.repository?.ownBlobs).toBe(true);
    expect(listing.ignored).toEqual(['a/unreachable/']);
    expect(registry.candidates('a', A)[0]).toMatchObject({ store: main });
    expect(registry.candidates('a/x', A)[0]).toMatchObject({ store: other });
    expect(registry.candidates('a/x', A).map(({ key }) => key)).toContain(
      `zot-a/zot-a/${blob('a/x')}`,
    );
    expect(await registry.readIndex('a/x', { maxBytes: 1000 })).toMatchObject({
      info: { key: 'zot-a/zot-a/a/x/index.json' },
    });
    expect(await registry.readOciLayout('a')).toMatchObject({ info: { key: 'a/oci-layout' } });
    expect(await registry.readIndex('a/unreachable', { maxBytes: 1000 })).toBeUndefined();
    expect(registry.scope('a')).not.toBe(registry.scope('a/x'));
  });

  test('never takes the bytes behind a placeholder from another store', async () => {
    const main = new MemoryStore({ ...emptyLayout('r'), [blob('r')]: 'bytes' });
    const other = new MemoryStore({ ...emptyLayout('a/x'), [blob('a/x')]: '' }, 'other');
    const registry = await route(main, other);
    const wanted = { digest: A, size: 5 };
    expect(await registry.locate('a/x', wanted)).toEqual([]);
    expect(registry.located('r', wanted)).toBeUndefined();
    expect(await registry.locate('r', wanted)).toHaveLength(1);
    expect(registry.located('r', wanted)).toHaveLength(1);
    const progress: number[] = [];
    const { lost } = await registry.scan({ onProgress: (keys) => progress.push(keys) });
    expect(lost).toEqual([{ digest: A, directories: ['a/x'] }]);
  });

  test('learns where blobs are in each store by itself', async () => {
    const main = new MemoryStore({ ...emptyLayout('r'), [blob('r')]: 'bytes' });
    const other = new MemoryStore({ ...emptyLayout('a/x'), [blob('a/x')]: 'bytes' }, 'other');
    const registry = await route(main, other);
    for (let opens = 0; opens < 3; opens += 1) {
      const shared = registry.candidates('a/x', A).find(({ source }) => source === 'shared');
      if (shared === undefined) throw new Error('no shared candidate');
      registry.succeeded(shared);
    }
    expect(registry.candidates('a/x', A)[0]?.source).toBe('shared');
    expect(registry.candidates('r', A)[0]?.source).toBe('repository');
  });

  test('shows a route whose store is empty only until it is visited', async () => {
    const registry = await route(new MemoryStore(emptyLayout('r')), new MemoryStore({}, 'other'));
    expect((await registry.list('')).children).toEqual(['a', 'r']);
    expect(await registry.list('a')).toEqual({ children: [], empty: true, ignored: [] });
    expect(registry.warnings).toEqual([expect.stringContaining('memory://other')]);
  });

  test('is listable only where all stores are', async () => {
    const denied = new MemoryStore(emptyLayout('a/x'), 'other');
    denied.before = ({ verb }) => {
      if (verb === 'LIST') throw new StoreError('AccessDenied', 'No.');
    };
    const registry = await route(new MemoryStore(emptyLayout('r')), denied);
    expect(registry.listable).toBe(false);
    expect(registry.warnings).toEqual([expect.stringContaining('ListBucket')]);
  });

  test.each([
    [['', 'zot'], 1],
    [['zot', ''], 1],
    [['zot', 'zot-a'], 0],
    [['zot', 'zot'], 0],
    [['zot', 'zot/a'], 1],
  ])('warns when one store lies in another: %j', async (roots, warnings) => {
    const store = new MemoryStore({
      ...emptyLayout('zot/r'),
      ...emptyLayout('zot-a/a/x'),
      ...emptyLayout('zot/a/a/x'),
      ...emptyLayout('r'),
    });
    const registry = await route(store, store, roots as [string, string]);
    const overlaps = registry.warnings.filter((warning) => warning.includes('lies inside'));
    expect(overlaps).toHaveLength(warnings);
  });
});
