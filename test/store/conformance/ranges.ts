import { beforeAll, expect, it } from 'vitest';
import { expectFailure, pattern, readAll, type Context } from './context.js';

const SIZE = 1000;

/** What is asked of an object of 1000 bytes, and how many bytes come. */
const RANGES: [string, { offset: number; length: number }, number][] = [
  ['the first byte', { offset: 0, length: 1 }, 1],
  ['the middle', { offset: 400, length: 200 }, 200],
  ['the last byte', { offset: 999, length: 1 }, 1],
  ['everything', { offset: 0, length: 1000 }, 1000],
  ['past the end', { offset: 990, length: 100 }, 10],
  ['far more than there is', { offset: 0, length: 2 ** 40 }, 1000],
];

const OUTSIDE: [string, { offset: number; length: number }][] = [
  ['at the end', { offset: 1000, length: 1 }],
  ['beyond the end', { offset: 5000, length: 10 }],
];

/** Ranged reads. */
export function ranges(context: Context): void {
  const bytes = pattern(SIZE);
  beforeAll(async () => {
    await context.store.put('ranges/object', bytes);
    await context.store.put('ranges/empty', new Uint8Array());
  });

  it.each(RANGES)('reads %s', async (_, range, length) => {
    const result = await context.store.get('ranges/object', { range });
    expect(result).toMatchObject({ offset: range.offset, length });
    expect(result.info.size).toBe(SIZE);
    expect(await readAll(result)).toEqual(
      Buffer.from(bytes.subarray(range.offset, range.offset + length)),
    );
  });

  it.each(OUTSIDE)('refuses a range that begins %s', async (_, range) => {
    await expectFailure(context.store.get('ranges/object', { range }), 'RangeNotSatisfiable');
  });

  it('refuses any range of an empty object', async () => {
    const range = { offset: 0, length: 1 };
    await expectFailure(context.store.get('ranges/empty', { range }), 'RangeNotSatisfiable');
  });

  it('reads many ranges at once', async () => {
    const { store } = context;
    const offsets = Array.from({ length: 40 }, (_, i) => i * 25);
    const parts = await Promise.all(
      offsets.map(async (offset) =>
        readAll(await store.get('ranges/object', { range: { offset, length: 25 } })),
      ),
    );
    expect(Buffer.concat(parts)).toEqual(Buffer.from(bytes));
  });
}
