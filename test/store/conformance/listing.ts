import { beforeAll, describe, expect, it } from 'vitest';
import { listAll, sortBytewise, type Context } from './context.js';

/** In no order, with directories that sort otherwise than their names. */
const KEYS = [
  'list/a/x',
  'list/a-b/x',
  'list/a-b/y/z',
  'list/a.txt',
  'list/a0',
  'list/B',
  'list/b/1',
  'list/b/2',
  'list/b/3/4',
  'list/é',
  'list/\u{fffd}',
  'list/😀',
  'list/zz',
  'listing',
];
const BELOW = KEYS.filter((key) => key.startsWith('list/'));

const FOLDED = [
  'list/B',
  'list/a-b/',
  'list/a.txt',
  'list/a/',
  'list/a0',
  'list/b/',
  'list/zz',
  'list/é',
  'list/\u{fffd}',
  'list/😀',
];

/** Prefix, and what a delimited listing of it shows. */
const PREFIXES: [string, string[]][] = [
  ['list/a', ['list/a-b/', 'list/a.txt', 'list/a/', 'list/a0']],
  ['list/a/', ['list/a/x']],
  ['list/a-b/', ['list/a-b/x', 'list/a-b/y/']],
  ['list/b', ['list/b/']],
  ['list/b/3', ['list/b/3/']],
  ['list/zz', ['list/zz']],
  ['list/zz/', []],
  ['list/none/', []],
  ['list', ['list/', 'listing']],
];

/** Listings: order, folding, pages. */
export function listing(context: Context): void {
  beforeAll(async () => {
    for (const key of KEYS) await context.store.put(key, Buffer.from(key));
  });

  it('lists flat in bytewise order', async () => {
    const { keys, prefixes } = await listAll(context.store, { prefix: 'list/' });
    expect(keys).toEqual(sortBytewise(BELOW));
    expect(prefixes).toEqual([]);
  });

  it('folds what lies below a delimiter', async () => {
    const all = await listAll(context.store, { prefix: 'list/', delimiter: '/' });
    expect(all.pages).toEqual([sortBytewise(FOLDED)]);
    expect(all.prefixes).toEqual(['list/a-b/', 'list/a/', 'list/b/']);
    const b = await context.store.list({ prefix: 'list/B', delimiter: '/' });
    expect(b.objects).toMatchObject([{ key: 'list/B', size: 6 }]);
  });

  it.each(PREFIXES)('lists the prefix %s', async (prefix, shown) => {
    const { pages } = await listAll(context.store, { prefix, delimiter: '/' });
    expect(pages.flat()).toEqual(shown);
    const flat = await listAll(context.store, { prefix });
    expect(flat.keys).toEqual(sortBytewise(KEYS.filter((key) => key.startsWith(prefix))));
  });

  describe.each([1, 2, 3, 5])('in pages of %i', (limit) => {
    it('lists flat without loss or repetition', async () => {
      const { keys, pages } = await listAll(context.store, { prefix: 'list/', limit });
      expect(keys).toEqual(sortBytewise(BELOW));
      expect(pages.length).toBeGreaterThanOrEqual(Math.ceil(BELOW.length / limit));
    });

    it('folds without loss or repetition', async () => {
      const options = { prefix: 'list/', delimiter: '/', limit } as const;
      const { pages } = await listAll(context.store, options);
      expect(pages.flat()).toEqual(sortBytewise(FOLDED));
    });
  });

  it('lists the whole store with an empty prefix', async () => {
    const { pages } = await listAll(context.store, { prefix: '', delimiter: '/' });
    expect(pages.flat()).toEqual(expect.arrayContaining(['list/', 'listing']));
    expect(pages.flat().every((name) => !name.slice(0, -1).includes('/'))).toBe(true);
  });

  it('gives at most 1000 per page, with or without being asked for more', async () => {
    const { store } = context;
    const names = Array.from({ length: 1003 }, (_, i) => `many/${String(i).padStart(4, '0')}`);
    for (let i = 0; i < names.length; i += 32) {
      await Promise.all(names.slice(i, i + 32).map((name) => store.put(name, Buffer.from('x'))));
    }
    const { keys, pages } = await listAll(store, { prefix: 'many/' });
    expect(keys).toEqual(names);
    expect(pages.map((page) => page.length)).toEqual([1000, 3]);
    const page = await store.list({ prefix: 'many/', delimiter: '/', limit: 5000 });
    expect(page.objects).toHaveLength(1000);
  });
}
