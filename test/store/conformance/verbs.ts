import { expect, it } from 'vitest';
import { expectFailure, pattern, readAll, type Context } from './context.js';

/** `put`, `get`, `head`, `copy`, `delete` and what they say about an object. */
export function verbs(context: Context): void {
  const bytes = pattern(1000);

  it('reads back what was written', async () => {
    const { store } = context;
    const before = Date.now();
    const written = await store.put('verbs/a', bytes);
    expect(written).toMatchObject({ key: 'verbs/a', size: 1000 });
    const result = await store.get('verbs/a');
    expect(result).toMatchObject({ offset: 0, length: 1000 });
    expect(result.info).toMatchObject({ key: 'verbs/a', size: 1000, etag: written.etag });
    // Response heads have whole seconds.
    expect(result.info.lastModified).toBeGreaterThan(before - 2000);
    expect(result.info.lastModified).toBeLessThan(Date.now() + 2000);
    expect(await readAll(result)).toEqual(Buffer.from(bytes));
  });

  it('reads back an object of many chunks', async () => {
    const large = pattern(3 * 1024 * 1024 + 17);
    await context.store.put('verbs/large', large);
    expect(Buffer.compare(await readAll(await context.store.get('verbs/large')), large)).toBe(0);
  });

  it('says the same about an object in head, get and list', async () => {
    const { store } = context;
    await store.put('verbs/same', bytes);
    const head = await store.head('verbs/same');
    const got = await store.get('verbs/same');
    got.cancel();
    const { objects } = await store.list({ prefix: 'verbs/same' });
    expect(objects).toHaveLength(1);
    expect(head.etag).toMatch(/^"[^"]+"$/);
    expect(got.info).toMatchObject({ size: 1000, etag: head.etag });
    expect(objects[0]).toMatchObject({ key: 'verbs/same', size: 1000, etag: head.etag });
    const seconds = (ms: number | undefined) => Math.floor((ms ?? 0) / 1000);
    expect(seconds(objects[0]?.lastModified)).toBe(seconds(head.lastModified));
  });

  it('replaces an object, and its ETag with it', async () => {
    const { store } = context;
    const first = await store.put('verbs/replaced', bytes);
    const second = await store.put(
      'verbs/replaced',
      pattern(10).map((x) => x + 1),
    );
    expect(second.etag).not.toBe(first.etag);
    expect((await readAll(await store.get('verbs/replaced'))).length).toBe(10);
  });

  it('keeps empty objects', async () => {
    const { store } = context;
    await store.put('verbs/empty', new Uint8Array());
    expect(await store.head('verbs/empty')).toMatchObject({ size: 0 });
    const result = await store.get('verbs/empty');
    expect(result).toMatchObject({ offset: 0, length: 0 });
    expect(await readAll(result)).toHaveLength(0);
    expect((await store.list({ prefix: 'verbs/empty' })).objects).toMatchObject([{ size: 0 }]);
  });

  it('copies', async () => {
    const { store } = context;
    await store.put('verbs/from it+%', bytes);
    await store.copy('verbs/from it+%', 'verbs/to/there');
    expect(await readAll(await store.get('verbs/to/there'))).toEqual(Buffer.from(bytes));
    await expectFailure(store.copy('verbs/absent', 'verbs/to/x'), 'NotFound');
  });

  it('deletes, also what is not there', async () => {
    const { store } = context;
    await store.put('verbs/gone', bytes);
    await store.delete('verbs/gone');
    await expectFailure(store.get('verbs/gone'), 'NotFound');
    expect((await store.list({ prefix: 'verbs/gone' })).objects).toEqual([]);
    await store.delete('verbs/gone');
    await store.delete('verbs/never/was');
  });

  it('says NotFound for an absent key', async () => {
    const { store } = context;
    await store.put('verbs/here', bytes);
    await expectFailure(store.get('verbs/absent'), 'NotFound', /verbs\/absent/);
    await expectFailure(store.head('verbs/absent'), 'NotFound', /verbs\/absent/);
    await expectFailure(store.get('verbs/here/below'), 'NotFound');
    await expectFailure(store.get('verbs'), 'NotFound');
    await expectFailure(store.get('verbs/absent', { ifMatch: '"x"' }), 'NotFound');
  });
}
