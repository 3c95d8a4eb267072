import { describe, expect, it } from 'vitest';
import { Intervals } from './intervals.js';

describe('Intervals', () => {
  it('agrees with a set of single positions over random additions', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    for (let round = 0; round < 200; round++) {
      const size = 1 + random(40);
      const model = new Set<number>();
      const intervals = new Intervals();
      for (let step = 0; step < 12; step++) {
        const start = random(size);
        const end = Math.min(size, start + random(12));
        const union = new Set(model);
        for (let i = start; i < end; i++) union.add(i);
        expect(intervals.wouldCover(start, end, size)).toBe(union.size === size);
        if (random(4) === 0) continue;
        intervals.add(start, end);
        for (let i = start; i < end; i++) model.add(i);
        expect(intervals.covers(size)).toBe(model.size === size);
      }
    }
  });

  it('covers an empty file without a single read', () => {
    expect(new Intervals().covers(0)).toBe(true);
  });
});
