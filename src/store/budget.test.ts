import { afterEach, describe, expect, it, vi } from 'vitest';
import { withBudget } from './budget.js';
import type { GetOptions, GetResult, WritableObjectStore } from './object-store.js';

/** A driver whose GETs are answered, and whose bodies end, when a test says so. */
class SteeredStore {
  readonly asked: string[] = [];
  readonly finish = new Map<string, (error?: Error) => void>();

  readonly get = (key: string): Promise<GetResult> => {
    this.asked.push(key);
    const whole = new Promise<void>((resolve, reject) => {
      this.finish.set(key, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
    whole.catch(() => undefined);
    const body = (async function* () {
      await whole;
      yield new Uint8Array(1);
    })();
    const info = { key, size: 1 };
    const cancel = () => this.finish.get(key)?.(new Error('cancelled'));
    return Promise.resolve({ info, offset: 0, length: 1, body, readInto: () => whole, cancel });
  };
}

function open(limit: number) {
  const driver = new SteeredStore();
  const store = withBudget(
    { name: 'steered', get: driver.get } as Partial<WritableObjectStore> as WritableObjectStore,
    limit,
  );
  /** Begin a GET and read it when it is answered. */
  const read = async (key: string, options: GetOptions = {}) => {
    await (await store.get(key, options)).readInto(new Uint8Array(1));
  };
  return { driver, store, read };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const background = { priority: 'background' } as const;

describe('withBudget', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('lets so many requests on and no more, bodies included, the others in their order', async () => {
    const { driver, read } = open(2);
    const all = ['a', 'b', 'c', 'd'].map((key) => read(key));
    await settle();
    expect(driver.asked).toEqual(['a', 'b']);
    driver.finish.get('b')?.();
    await settle();
    expect(driver.asked).toEqual(['a', 'b', 'c']);
    for (const key of ['a', 'c', 'd']) {
      driver.finish.get(key)?.();
      await settle();
    }
    await Promise.all(all);
  });

  it('lets what somebody waits for go before what is read in advance', async () => {
    const { driver, read } = open(1);
    const all = [
      read('first', background),
      read('advance 1', background),
      read('advance 2', background),
      read('now 1'),
      read('now 2'),
    ];
    while (driver.asked.length < all.length) {
      driver.finish.get(driver.asked.at(-1) ?? '')?.();
      await settle();
    }
    driver.finish.get('advance 2')?.();
    await Promise.all(all);
    expect(driver.asked).toEqual(['first', 'now 1', 'now 2', 'advance 1', 'advance 2']);
  });

  it.each<[string, (result: GetResult, driver: SteeredStore) => unknown]>([
    [
      'is read',
      (result, driver) => {
        driver.finish.get('a')?.();
        return result.readInto(new Uint8Array(1));
      },
    ],
    [
      'fails',
      (result, driver) => {
        driver.finish.get('a')?.(new Error('broken'));
        return result.readInto(new Uint8Array(1)).catch(() => undefined);
      },
    ],
    [
      'is iterated',
      async (result, driver) => {
        driver.finish.get('a')?.();
        for await (const chunk of result.body) expect(chunk).toHaveLength(1);
      },
    ],
    [
      'is left early',
      async (result, driver) => {
        driver.finish.get('a')?.();
        for await (const chunk of result.body) if (chunk.length > 0) break;
      },
    ],
    [
      'is cancelled, twice',
      (result) => {
        result.cancel();
        result.cancel();
      },
    ],
  ])('gives a turn back once, when a body %s', async (_, use) => {
    const { driver, store, read } = open(1);
    const result = await store.get('a');
    const others = ['b', 'c'].map((key) => read(key));
    await settle();
    expect(driver.asked).toEqual(['a']);
    await use(result, driver);
    await settle();
    expect(driver.asked).toEqual(['a', 'b']);
    for (const key of ['b', 'c']) {
      driver.finish.get(key)?.();
      await settle();
    }
    await Promise.all(others);
  });

  it('gives the turn back of a request that failed, or whose caller aborted', async () => {
    const { driver, store, read } = open(1);
    driver.get('b').catch(() => undefined);
    const failing = withBudget(
      {
        ...store,
        get: (key: string) =>
          key === 'absent' ? Promise.reject(new Error('absent')) : driver.get(key),
      },
      1,
    );
    await expect(failing.get('absent')).rejects.toThrow('absent');
    (await failing.get('b')).cancel();

    const controller = new AbortController();
    await store.get('a', { signal: controller.signal });
    const next = read('c');
    await settle();
    expect(driver.asked).not.toContain('c');
    controller.abort();
    await settle();
    driver.finish.get('c')?.();
    await next;
  });

  it('lets a request leave the queue when it is aborted', async () => {
    const { driver, store, read } = open(1);
    const first = await store.get('a');
    const controller = new AbortController();
    const aborted = read('b', { signal: controller.signal });
    const next = read('c');
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'Aborted' });
    await expect(read('d', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'Aborted',
    });
    first.cancel();
    await settle();
    expect(driver.asked).toEqual(['a', 'c']);
    driver.finish.get('c')?.();
    await next;
  });

  it('takes the connection from an answer that nobody reads, and says so to a late reader', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { driver, store, read } = open(1);
    const forgotten = await store.get('a');
    const next = read('b');
    await settle();
    expect(driver.asked).toEqual(['a']);
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(driver.asked).toEqual(['a', 'b']);
    const late = { code: 'Interrupted' };
    await expect(forgotten.readInto(new Uint8Array(1))).rejects.toMatchObject(late);
    driver.finish.get('b')?.();
    await next;
  });
});
