import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Digest } from '../../oci/digest.js';
import { CopyTable } from './copy-table.js';

const digest = (number: number): Digest =>
  `sha256:${createHash('sha256').update(`${number}`).digest('hex')}` as Digest;

test('finds every copy of many digests, and no other', () => {
  const table = new CopyTable();
  for (let number = 0; number < 5000; number += 1) {
    for (let copy = 0; copy <= number % 3; copy += 1) {
      table.add(digest(number), `repository-${copy}`, number * 2 ** 20 + copy);
    }
  }
  for (let number = 0; number < 5000; number += 1) {
    const expected = Array.from({ length: (number % 3) + 1 }, (_, copy) => ({
      directory: `repository-${copy}`,
      size: number * 2 ** 20 + copy,
    }));
    expect(table.find(digest(number)).sort((a, b) => a.size - b.size)).toEqual(expected);
  }
  expect(table.find(digest(5000))).toEqual([]);
  expect(table.has(digest(5000))).toBe(false);
  expect([...table.entries()]).toHaveLength(table.size);
});

test('keeps digests apart that begin alike, and algorithms of the same length', () => {
  const table = new CopyTable();
  const [a, b] = ['0', '1'].map((end) => `sha256:${'a'.repeat(63)}${end}` as Digest);
  const other = `blake3:${'a'.repeat(63)}0` as Digest;
  if (a === undefined || b === undefined) throw new Error('no digests');
  table.add(a, 'a', 1);
  table.add(b, 'b', 2);
  table.add(other, 'c', 3);
  expect(table.find(a)).toEqual([{ directory: 'a', size: 1 }]);
  expect(table.find(b)).toEqual([{ directory: 'b', size: 2 }]);
  expect(table.find(other)).toEqual([{ directory: 'c', size: 3 }]);
});

test('keeps the largest objects that stores hold', () => {
  const table = new CopyTable();
  table.add(digest(1), '', 5 * 2 ** 40);
  expect(table.find(digest(1))).toEqual([{ directory: '', size: 5 * 2 ** 40 }]);
});
