import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Digest } from '../../oci/digest.js';
import { DigestNumbers } from './digest-numbers.js';

const digest = (text: string, algorithm = 'sha256'): Digest =>
  `${algorithm}:${createHash(algorithm).update(text).digest('hex')}` as Digest;

test('gives each digest one number, whatever its algorithm, and finds it again', () => {
  const numbers = new DigestNumbers();
  const all = Array.from({ length: 5000 }, (_, position) =>
    digest(`${position}`, position % 7 === 0 ? 'sha512' : 'sha256'),
  );
  all.forEach((one, position) => expect(numbers.number(one)).toBe(position));
  all.forEach((one, position) => {
    expect(numbers.number(one)).toBe(position);
    expect(numbers.find(one)).toBe(position);
    expect(numbers.digest(position)).toBe(one);
  });
  expect(numbers.size).toBe(5000);
  expect(numbers.find(digest('another'))).toBeUndefined();
  expect(() => numbers.digest(5000)).toThrow(RangeError);
});

test('keeps digests apart that begin alike, and algorithms of the same length', () => {
  const numbers = new DigestNumbers();
  const alike = ['0', '1'].map((end) => `sha256:${'a'.repeat(63)}${end}` as Digest);
  const all = [...alike, `blake3:${'a'.repeat(63)}0` as Digest];
  expect(all.map((one) => numbers.number(one))).toEqual([0, 1, 2]);
  expect([0, 1, 2].map((number) => numbers.digest(number))).toEqual(all);
});
