import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { FaultProxy } from '../servers/fault-proxy.js';
import { expectFailure, pattern, readAll } from './conformance/context.js';
import { radosgwTarget, type RunningTarget } from './targets.js';

/** The s3 store over a real server that misbehaves: every request ends, and says how. */
describe('the s3 store over a misbehaving radosgw', () => {
  const SIZE = 1024 * 1024;
  const bytes = pattern(SIZE);
  let target: RunningTarget;
  let proxy: FaultProxy;
  let store: WritableObjectStore;

  beforeAll(async () => {
    target = await radosgwTarget.start();
    proxy = await FaultProxy.start(target.server?.endpoint ?? '');
    if (target.source.kind !== 's3') throw new Error('radosgw is an s3 source.');
    store = await openStore(
      { ...target.source, endpoint: proxy.endpoint },
      { deadline: { requestMs: 3000, idleMs: 300 } },
    );
    await store.put('a', bytes);
    proxy.forget();
  });
  afterEach(() => {
    proxy.heal();
    proxy.forget();
  });
  afterAll(async () => {
    await store.close();
    await proxy.stop();
    await target.stop();
  });

  const readA = async (range?: { offset: number; length: number }) =>
    readAll(await store.get('a', range && { range }));

  it('passes everything on, and remembers it, while nothing is wrong', async () => {
    expect(Buffer.compare(await readA(), bytes)).toBe(0);
    await readA({ offset: 5, length: 10 });
    await store.head('a');
    await store.list({ prefix: 'a', delimiter: '/' });
    await store.put('b/ü +', bytes);
    await store.copy('b/ü +', 'b/c');
    await store.delete('b/c');
    await store.get('none').catch(() => undefined);
    const seen = proxy.requests.map(({ operation, key, range, status }) => [
      ...[operation, key, status],
      ...(range === undefined ? [] : [range]),
    ]);
    expect(seen).toEqual([
      ['GET', 'a', 200],
      ['GET', 'a', 206, 'bytes=5-14'],
      ['HEAD', 'a', 200],
      ['LIST', 'a', 200],
      ['PUT', 'b/ü +', 200],
      ['COPY', 'b/c', 200],
      ['DELETE', 'b/c', 204],
      ['GET', 'none', 404],
    ]);
    expect(proxy.requests[0]?.bytes).toBe(SIZE);
    expect(proxy.count('GET')).toBe(3);
  });

  it('flips a bit wherever the byte is read, and nowhere else', async () => {
    const armed = proxy.add({ kind: 'flipBit', offset: 500_000, bit: 3 }, { key: 'a' });
    const wrong = Buffer.from(bytes);
    wrong[500_000] = (wrong[500_000] ?? 0) ^ 8;
    expect(Buffer.compare(await readA(), wrong)).toBe(0);
    const part = await readA({ offset: 499_999, length: 3 });
    expect(part).toEqual(wrong.subarray(499_999, 500_002));
    expect(await readA({ offset: 0, length: 500_000 })).toEqual(wrong.subarray(0, 500_000));
    expect(armed.hits).toBe(3);
    proxy.remove(armed);
    expect(Buffer.compare(await readA(), bytes)).toBe(0);
  });

  it.each([false, true])(
    'says Interrupted to a short body (length adjusted: %s)',
    async (adjusted) => {
      proxy.add({ kind: 'truncate', after: 1000, adjusted });
      await expectFailure(readA({ offset: 7, length: 5000 }), 'Interrupted', /4000 bytes early/);
      proxy.heal();
      expect(await readA({ offset: 7, length: 5000 })).toHaveLength(5000);
    },
  );

  it('says Timeout to a head that does not come and to a body that stalls', async () => {
    proxy.add({ kind: 'hangBeforeHead' }, { operation: ['HEAD', 'LIST'] });
    proxy.add({ kind: 'hangMidBody', after: 70_000 }, { operation: 'GET' });
    await expectFailure(store.head('a'), 'Timeout', /within 3000 ms/);
    await expectFailure(store.list({ prefix: '' }), 'Timeout', /within 3000 ms/);
    const start = performance.now();
    await expectFailure(readA(), 'Timeout', /no bytes came for 300 ms/);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('does not count the time a reader takes against the body', async () => {
    const result = await store.get('a');
    let received = 0;
    for await (const chunk of result.body) {
      if (received === 0) await new Promise((resolve) => setTimeout(resolve, 700));
      received += chunk.length;
    }
    expect(received).toBe(SIZE);
  });

  it('tries again when a server is busy or drops a connection, three times in all', async () => {
    const busy = proxy.add({ kind: 'status', status: 503, code: 'SlowDown' }, { times: 2 });
    expect(await readA({ offset: 0, length: 5 })).toHaveLength(5);
    expect(busy.hits).toBe(2);
    proxy.heal();
    proxy.add({ kind: 'drop' }, { times: 1 });
    expect(await readA({ offset: 0, length: 5 })).toHaveLength(5);
    proxy.heal();
    proxy.forget();
    proxy.add({ kind: 'status', status: 503, code: 'SlowDown' });
    await expectFailure(readA(), 'Unavailable');
    expect(proxy.count('GET')).toBe(3);
    proxy.heal();
    proxy.add({ kind: 'drop' });
    await expectFailure(readA(), 'Unreachable', /closed the connection/);
  });

  it('says AccessDenied where LIST or HEAD are not allowed, and still reads', async () => {
    const operation = ['LIST', 'HEAD'] as const;
    proxy.add({ kind: 'status', status: 403, code: 'AccessDenied' }, { operation });
    await expectFailure(store.list({ prefix: '' }), 'AccessDenied', /s3:ListBucket/);
    await expectFailure(store.head('a'), 'AccessDenied', /s3:GetObject/);
    expect(await readA({ offset: 0, length: 5 })).toHaveLength(5);
  });

  it('shows another ETag, and waits, when told to', async () => {
    proxy.add({ kind: 'etag', etag: '"other"' }, { key: /^a$/, skip: 1, times: 1 });
    proxy.add({ kind: 'delay', ms: 200 }, { where: (request) => request.range !== undefined });
    const { etag } = await store.head('a');
    expect(etag).not.toBe('"other"');
    expect((await store.head('a')).etag).toBe('"other"');
    const start = performance.now();
    await readA({ offset: 0, length: 1 });
    expect(performance.now() - start).toBeGreaterThan(190);
    await expectFailure(store.get('a', { ifMatch: '"other"' }), 'PreconditionFailed');
  });

  it('stops waiting at once when the caller aborts, also between attempts', async () => {
    proxy.add({ kind: 'hangBeforeHead' });
    const start = performance.now();
    await expectFailure(store.get('a', { signal: AbortSignal.timeout(100) }), 'Aborted');
    await expectFailure(store.head('a', AbortSignal.timeout(100)), 'Aborted');
    proxy.heal();
    proxy.add({ kind: 'status', status: 503, code: 'SlowDown' });
    await expectFailure(store.get('a', { signal: AbortSignal.timeout(20) }), 'Aborted');
    expect(performance.now() - start).toBeLessThan(1500);
  });
});
