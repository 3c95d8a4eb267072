import { expect, it } from 'vitest';
import { expectFailure, readAll, type Context } from './context.js';

const ODD = [
  'space in it',
  ' around ',
  'plus+plus',
  'per%cent',
  'per%20cent',
  'question?and=amper&sand',
  'hash#colon:semi;comma,',
  'quote"\'`',
  'brackets<>[]{}()',
  'back\\slash|pipe^caret~tilde',
  'at@dollar$star*bang!equals=',
  'ümläut',
  'u\u0308 decomposed',
  '漢字',
  '😀',
  '...',
  '.hidden',
  'new\nline',
  'tab\tcontrol\u0001\u007f',
  'é'.repeat(100),
];

const NO_PATHS = ['double//slash', 'trailing/', '/leading', 'a/./b', 'a/../b', '../a'];

/** Keys as strange as S3 allows them. */
export function keys(context: Context): void {
  it.each(ODD.map((name) => [name]))('carries the key %j', async (name) => {
    const { store } = context;
    const key = `keys/${name}/${name}`;
    const body = Buffer.from(name);
    await store.put(key, body);
    expect(await readAll(await store.get(key))).toEqual(body);
    expect(await store.head(key)).toMatchObject({ key, size: body.length });
    expect((await store.list({ prefix: key })).objects.map((x) => x.key)).toEqual([key]);
    const folded = await store.list({ prefix: `keys/${name}`, delimiter: '/' });
    expect(folded.prefixes).toEqual([`keys/${name}/`]);
    const page = await store.list({ prefix: `keys/${name}/`, delimiter: '/' });
    expect(page.objects.map((x) => x.key)).toEqual([key]);
    await store.delete(key);
    await expectFailure(store.get(key), 'NotFound');
  });

  it('keeps `a` beside `a/b`, where keys are no paths', async () => {
    const { store, differences } = context;
    await store.put('both/a', Buffer.from('1'));
    const below = store.put('both/a/b', Buffer.from('2'));
    if (differences.keysArePaths !== undefined) {
      await expectFailure(below, 'Failed', /part of its path is a file/);
      return;
    }
    await below;
    const page = await store.list({ prefix: 'both/', delimiter: '/' });
    expect([page.objects.map((x) => x.key), page.prefixes]).toEqual([['both/a'], ['both/a/']]);
    expect((await readAll(await store.get('both/a/b'))).toString()).toBe('2');
  });

  it.each(NO_PATHS.map((key) => [key]))('takes %j as a key, or as no key', async (key) => {
    const { store, differences } = context;
    if (differences.keysArePaths !== undefined) {
      await expectFailure(store.put(key, Buffer.from('x')), 'Failed', /cannot hold/);
      await expectFailure(store.get(key), 'NotFound');
      await expectFailure(store.head(key), 'NotFound');
      expect((await store.list({ prefix: key })).objects).toEqual([]);
      await store.delete(key);
      return;
    }
    await store.put(key, Buffer.from(key));
    expect((await readAll(await store.get(key))).toString()).toBe(key);
    expect((await store.list({ prefix: key })).objects.map((x) => x.key)).toEqual([key]);
    await store.delete(key);
  });
}
