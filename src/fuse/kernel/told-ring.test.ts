import { expect, test } from 'vitest';

import { makeRing, RING_CAPACITY, ToldRing } from './told-ring.js';

function drained(ring: ToldRing): [number, number][] {
  const taken: [number, number][] = [];
  ring.drain((id, index) => taken.push([id, index]));
  return taken;
}

test('what is put in comes out once and in order', () => {
  const cells = makeRing();
  const [writer, reader] = [new ToldRing(cells), new ToldRing(cells)];
  writer.push(1, 5);
  writer.push(2, ~5);
  expect(reader.length).toBe(2);
  expect(drained(reader)).toEqual([
    [1, 5],
    [2, -6],
  ]);
  expect(drained(reader)).toEqual([]);
});

test('a full ring takes no more until it is drained', () => {
  const ring = new ToldRing(makeRing());
  for (let index = 0; index < RING_CAPACITY; index += 1) expect(ring.push(1, index)).toBe(true);
  expect(ring.push(1, 0)).toBe(false);
  expect(drained(ring)).toHaveLength(RING_CAPACITY);
  expect(ring.push(3, 4)).toBe(true);
  expect(drained(ring)).toEqual([[3, 4]]);
});

test('its counters may overflow', () => {
  const cells = makeRing();
  cells[0] = cells[1] = 2 ** 31 - 2;
  const ring = new ToldRing(cells);
  for (let index = 0; index < 5; index += 1) expect(ring.push(9, index)).toBe(true);
  expect(ring.length).toBe(5);
  expect(drained(ring).map(([, index]) => index)).toEqual([0, 1, 2, 3, 4]);
});
