import { beforeAll, expect, it } from 'vitest';
import { withCounting } from '../../../src/store/counting.js';
import { Counters } from '../../../src/observe/counters.js';
import { expectFailure, pattern, readAll, type Context } from './context.js';

const SIZE = 8 * 1024 * 1024;

/** Bodies that are not read to their end, and what is counted. */
export function transfer(context: Context): void {
  beforeAll(async () => {
    await context.store.put('transfer/large', pattern(SIZE));
    await context.store.put('transfer/small', pattern(10));
  });

  it('refuses every request that was aborted before', async () => {
    const { store } = context;
    const signal = AbortSignal.abort();
    await expectFailure(store.get('transfer/large', { signal }), 'Aborted');
    await expectFailure(store.head('transfer/large', signal), 'Aborted');
    await expectFailure(store.list({ prefix: 'transfer/', signal }), 'Aborted');
    await expectFailure(store.put('transfer/none', pattern(1), signal), 'Aborted');
    await expectFailure(store.copy('transfer/small', 'transfer/none', { signal }), 'Aborted');
    await expectFailure(store.delete('transfer/small', signal), 'Aborted');
    await expectFailure(store.head('transfer/none'), 'NotFound');
    expect(await store.head('transfer/small')).toMatchObject({ size: 10 });
  });

  it('stops a body when its request is aborted', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const result = await context.store.get('transfer/large', { signal });
    let received = 0;
    const reading = (async () => {
      for await (const chunk of result.body) {
        received += chunk.length;
        controller.abort();
      }
    })();
    await expectFailure(reading, 'Aborted');
    expect(received).toBeLessThan(SIZE);
  });

  it('stops a body when it is cancelled, before, in the middle and after', async () => {
    const { store } = context;
    const unread = await store.get('transfer/large');
    unread.cancel();
    unread.cancel();
    await expectFailure(readAll(unread), 'Aborted');

    const half = await store.get('transfer/large');
    const reading = (async () => {
      for await (const chunk of half.body) if (chunk.length > 0) half.cancel();
    })();
    await expectFailure(reading, 'Aborted');

    const whole = await store.get('transfer/small');
    expect(await readAll(whole)).toHaveLength(10);
    whole.cancel();
  });

  it('lets a reader leave a body early', async () => {
    const { store } = context;
    for (let i = 0; i < 100; i++) {
      // More than there are sockets: a lost one would block the last of them.
      for await (const chunk of (await store.get('transfer/large')).body) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    }
    expect(await readAll(await store.get('transfer/small'))).toHaveLength(10);
  });

  it('counts requests, errors and bytes', async () => {
    const counters = new Counters();
    const store = withCounting(context.store, counters);
    await readAll(await store.get('transfer/large', { range: { offset: 5, length: 1000 } }));
    await store.get('transfer/absent').catch(() => undefined);
    const { etag } = await store.head('transfer/small');
    await store.get('transfer/small', { ifNoneMatch: etag ?? '' }).catch(() => undefined);
    await store.list({ prefix: 'transfer/' });
    await store.put('transfer/counted', pattern(1));
    await store.copy('transfer/counted', 'transfer/counted2');
    await store.delete('transfer/counted');
    expect(counters.snapshot()).toMatchObject({
      'store.get': 3,
      'store.head': 1,
      'store.list': 1,
      'store.write': 3,
      'store.notModified': 1,
      'store.error': 0,
      'store.bytes': 1000,
    });
  });
}
