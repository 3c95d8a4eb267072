import { beforeAll, expect, it } from 'vitest';
import { Counters } from '../../../src/observe/counters.js';
import { withCounting } from '../../../src/store/counting.js';
import { expectFailure, pattern, type Context } from './context.js';

const SIZE = 8 * 1024 * 1024 + 12_345;

/** Bodies that are read into the caller's memory. */
export function memory(context: Context): void {
  const bytes = pattern(SIZE);
  beforeAll(async () => {
    await context.store.put('memory/large', bytes);
    await context.store.put('memory/small', bytes.subarray(0, 10));
    await context.store.put('memory/empty', new Uint8Array());
  });

  it.each([
    ['ordinary', (length: number) => new ArrayBuffer(length)],
    ['shared', (length: number) => new SharedArrayBuffer(length)],
  ])('fills %s memory, and nothing around it', async (_, allocate) => {
    const { store } = context;
    for (const range of [undefined, { offset: 1_000_000, length: 3_000_000 }]) {
      const result = await store.get('memory/large', range && { range });
      const around = new Uint8Array(allocate(result.length + 20));
      const progress: number[] = [];
      const target = around.subarray(10, 10 + result.length);
      await result.readInto(target, (count) => {
        // What was said to be there is there at that moment.
        const last = result.offset + count - 1;
        expect(target[count - 1]).toBe(bytes[last]);
        progress.push(count);
      });
      const wanted = bytes.subarray(result.offset, result.offset + result.length);
      expect(Buffer.compare(target, wanted)).toBe(0);
      expect(progress.at(-1)).toBe(result.length);
      expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b));
      const frame = [...around.subarray(0, 10), ...around.subarray(10 + result.length)];
      expect(frame).toEqual(Array(20).fill(0));
    }
  });

  it('leaves memory beyond the body alone, and reads an empty body', async () => {
    const { store } = context;
    const target = new Uint8Array(20).fill(7);
    const progress: number[] = [];
    await (await store.get('memory/small')).readInto(target, (count) => progress.push(count));
    expect([...target]).toEqual([...bytes.subarray(0, 10), ...Array<number>(10).fill(7)]);
    expect(progress.at(-1)).toBe(10);
    await (await store.get('memory/empty')).readInto(new Uint8Array());
  });

  it('reads many at once', async () => {
    const { store } = context;
    const part = 200_000;
    const target = new Uint8Array(new SharedArrayBuffer(40 * part));
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const range = { offset: i * part, length: part };
        const result = await store.get('memory/large', { range });
        await result.readInto(target.subarray(i * part, (i + 1) * part));
      }),
    );
    expect(Buffer.compare(target, bytes.subarray(0, 40 * part))).toBe(0);
  });

  it('stops when it is cancelled or aborted, before and in the middle', async () => {
    const { store } = context;
    const unread = await store.get('memory/large');
    unread.cancel();
    await expectFailure(unread.readInto(new Uint8Array(SIZE)), 'Aborted');

    const cancelled = await store.get('memory/large');
    const stop = () => {
      cancelled.cancel();
    };
    await expectFailure(cancelled.readInto(new Uint8Array(SIZE), stop), 'Aborted');

    const controller = new AbortController();
    const aborted = await store.get('memory/large', { signal: controller.signal });
    const abort = () => {
      controller.abort();
    };
    const target = new Uint8Array(SIZE);
    await expectFailure(aborted.readInto(target, abort), 'Aborted');
    // Nothing is written any more: the memory may be used for something else.
    target.fill(0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(target.every((byte) => byte === 0)).toBe(true);
  });

  it('may be cancelled after the end', async () => {
    const result = await context.store.get('memory/small');
    await result.readInto(new Uint8Array(10));
    result.cancel();
  });

  it('is counted', async () => {
    const counters = new Counters();
    const store = withCounting(context.store, counters);
    const range = { offset: 5, length: 1_000_000 };
    await (await store.get('memory/large', { range })).readInto(new Uint8Array(1_000_000));
    expect(counters.get('store.bytes')).toBe(1_000_000);
    const stopped = await store.get('memory/large');
    let there = 0;
    const reading = stopped.readInto(new Uint8Array(SIZE), (count) => {
      there = count;
      stopped.cancel();
    });
    await expectFailure(reading, 'Aborted');
    expect(counters.get('store.bytes')).toBe(1_000_000 + there);
    expect(counters.get('store.error')).toBe(0);
  });
}
