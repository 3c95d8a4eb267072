import { describe, expect, it } from 'vitest';
import { withDeadline } from './deadline.js';
import { StoreError } from './errors.js';
import type { GetResult, WritableObjectStore } from './object-store.js';

const never = () => new Promise<never>(() => undefined);

/** A driver that neither answers nor listens to aborts: the worst that can be wrapped. */
const deaf: WritableObjectStore = {
  name: 'file:///deaf',
  capabilities: {
    conditionalGet: true,
    serverSideCopy: true,
    conditionalWrite: true,
    copyChecksum: false,
    largestCopy: Infinity,
    copyPart: Infinity,
  },
  list: never,
  get: never,
  head: never,
  put: never,
  putIfAbsent: never,
  delete: never,
  deleteMany: never,
  copy: never,
  uploads: never,
  abortUpload: never,
  close: () => Promise.resolve(),
};

const timeout = expect.objectContaining({ name: 'StoreError', code: 'Timeout' }) as StoreError;

describe('withDeadline', () => {
  const limited = withDeadline(deaf, { requestMs: 20, idleMs: 20, writeMs: 20 });

  it.each<[string, () => Promise<unknown>]>([
    ['list', () => limited.list({ prefix: '' })],
    ['get', () => limited.get('a')],
    ['head', () => limited.head('a')],
    ['put', () => limited.put('a', new Uint8Array())],
    ['delete', () => limited.delete('a')],
    ['putIfAbsent', () => limited.putIfAbsent('a', new Uint8Array())],
    ['deleteMany', () => limited.deleteMany(['a'])],
    ['copy', () => limited.copy('a', 'b')],
    ['uploads', () => limited.uploads('a')],
    ['abortUpload', () => limited.abortUpload({ key: 'a', id: 'b' })],
  ])('ends %s although the driver does not', async (_, request) => {
    await expect(request()).rejects.toEqual(timeout);
  });

  it('gives a copy of a large object the time that its bytes take', async () => {
    const slow = withDeadline(
      { ...deaf, copy: () => new Promise((resolve) => setTimeout(resolve, 100, {})) },
      { requestMs: 20, idleMs: 20, writeMs: 20 },
    );
    await expect(slow.copy('a', 'b', { size: 10 * 2 ** 20 })).resolves.toEqual({});
    await expect(slow.copy('a', 'b', { size: 1000 })).rejects.toEqual(timeout);
  });

  it('ends a body although the driver does not, and cancels it', async () => {
    let cancelled = 0;
    let signal: AbortSignal | undefined;
    const result: GetResult = {
      info: { key: 'a', size: 2 },
      offset: 0,
      length: 2,
      body: {
        [Symbol.asyncIterator]: () => ({ next: never, return: never }),
      },
      readInto: never,
      cancel: () => cancelled++,
    };
    const stalling = withDeadline(
      {
        ...deaf,
        get: (_, options) => {
          signal = options?.signal;
          return Promise.resolve(result);
        },
      },
      { requestMs: 20, idleMs: 20 },
    );
    const { body } = await stalling.get('a');
    await expect(body[Symbol.asyncIterator]().next()).rejects.toEqual(timeout);
    expect(cancelled).toBe(1);
    expect(signal?.aborted).toBe(true);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('cancelled'))],
    ['fails, and says why', () => Promise.reject(new StoreError('Aborted', 'Cancelled.'))],
  ])('cancels what stalls, and keeps its memory until the driver %s', async (_, end) => {
    let settled = false;
    let cancel: () => void = () => undefined;
    const cancelled = new Promise<void>((resolve) => (cancel = resolve));
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const result: GetResult = {
      info: { key: 'a', size: 2 },
      offset: 0,
      length: 2,
      body: { [Symbol.asyncIterator]: () => ({ next: never }) },
      readInto: () => held.then(end),
      cancel,
    };
    const store = { ...deaf, get: () => Promise.resolve(result) };
    const answer = await withDeadline(store, { requestMs: 20, idleMs: 20 }).get('a');
    const reading = answer.readInto(new Uint8Array(2)).finally(() => (settled = true));
    const failure = expect(reading).rejects.toEqual(timeout);
    await cancelled;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(settled).toBe(false);
    letGo();
    await failure;
  });

  it.each([
    ['is read', (result: GetResult): Promise<unknown> => result.readInto(new Uint8Array(2))],
    ['streams', (result: GetResult) => result.body[Symbol.asyncIterator]().next()],
  ])("hands on the caller's abort until the body ends, and no longer: it %s", async (_, read) => {
    const signals: AbortSignal[] = [];
    let arrive: () => void = () => undefined;
    const store = withDeadline(
      {
        ...deaf,
        get: (_key, { signal } = {}) => {
          if (signal !== undefined) signals.push(signal);
          const arrived = new Promise<void>((resolve) => (arrive = resolve));
          const next = () => arrived.then(() => ({ done: true as const, value: undefined }));
          const info = { key: 'a', size: 2 };
          const body = { [Symbol.asyncIterator]: () => ({ next }) };
          return Promise.resolve({
            ...{ info, offset: 0, length: 2, body },
            readInto: () => arrived,
            cancel: () => undefined,
          });
        },
      },
      { requestMs: 1000, idleMs: 1000 },
    );
    const caller = new AbortController();
    const finished = await store.get('a', { signal: caller.signal });
    const end = read(finished);
    arrive();
    await end;
    const cancelled = await store.get('a', { signal: caller.signal });
    cancelled.cancel();
    const reading = read(await store.get('a', { signal: caller.signal }));
    caller.abort('enough');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, true]);
    expect(signals[2]?.reason).toBe('enough');
    arrive();
    await reading;
    await store.get('a', { signal: caller.signal });
    expect(signals[3]?.aborted).toBe(true);
  });

  it('lets any number of requests share a signal without a warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const { signal } = new AbortController();
    const heads = Array.from({ length: 30 }, () => limited.head('a', signal));
    await Promise.allSettled(heads);
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('cancels an answer that comes too late', async () => {
    let cancelled = 0;
    const late = withDeadline(
      {
        ...deaf,
        get: async () => {
          await new Promise((resolve) => setTimeout(resolve, 60));
          const info = { key: 'a', size: 0 };
          const body = { [Symbol.asyncIterator]: () => ({ next: never }) };
          return { info, offset: 0, length: 0, body, readInto: never, cancel: () => cancelled++ };
        },
      },
      { requestMs: 20, idleMs: 20 },
    );
    await expect(late.get('a')).rejects.toEqual(timeout);
    await expect.poll(() => cancelled).toBe(1);
  });
});
