import { beforeAll, expect, it } from 'vitest';
import { expectFailure, pattern, readAll, type Context } from './context.js';

/** `ifMatch` and `ifNoneMatch`. */
export function conditions(context: Context): void {
  const range = { offset: 10, length: 5 };
  let etag: string;
  beforeAll(async () => {
    await context.store.put('conditions/a', pattern(100));
    etag = (await context.store.head('conditions/a')).etag ?? '';
  });

  it('answers while ifMatch holds, also with an ETag from a listing', async () => {
    const { store } = context;
    expect(store.capabilities.conditionalGet).toBe(true);
    expect((await readAll(await store.get('conditions/a', { ifMatch: etag }))).length).toBe(100);
    const [listed] = (await store.list({ prefix: 'conditions/a' })).objects;
    const ifMatch = listed?.etag ?? 'none';
    expect((await readAll(await store.get('conditions/a', { ifMatch, range }))).length).toBe(5);
  });

  it('says PreconditionFailed when ifMatch does not hold', async () => {
    const ifMatch = '"00000000000000000000000000000000"';
    await expectFailure(context.store.get('conditions/a', { ifMatch }), 'PreconditionFailed');
    await expectFailure(
      context.store.get('conditions/a', { ifMatch, range }),
      'PreconditionFailed',
    );
  });

  it('says NotModified while ifNoneMatch names the version', async () => {
    await expectFailure(context.store.get('conditions/a', { ifNoneMatch: etag }), 'NotModified');
  });

  it('answers when ifNoneMatch names another version', async () => {
    const result = await context.store.get('conditions/a', { ifNoneMatch: '"other"' });
    expect(await readAll(result)).toHaveLength(100);
  });

  it('notices that an object was replaced', async () => {
    const { store } = context;
    await store.put('conditions/replaced', pattern(50));
    const old = (await store.head('conditions/replaced')).etag ?? '';
    await store.put('conditions/replaced', pattern(50).reverse());
    await expectFailure(store.get('conditions/replaced', { ifMatch: old }), 'PreconditionFailed');
    const result = await store.get('conditions/replaced', { ifNoneMatch: old });
    expect(await readAll(result)).toEqual(Buffer.from(pattern(50).reverse()));
  });
}
