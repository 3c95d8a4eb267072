import { expect, test } from 'vitest';
import { digestParts, parseDigest } from './digest.js';

const hex = (length: number): string => 'a'.repeat(length);

test.each([
  `sha256:${hex(64)}`,
  `sha384:${hex(96)}`,
  `sha512:${hex(128)}`,
  `blake3:${hex(64)}`,
  'sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564',
  'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
])('%s is a digest', (text) => {
  const digest = parseDigest(text);
  expect(digest).toBe(text);
  if (digest === undefined) return;
  const { algorithm, encoded } = digestParts(digest);
  expect(`${algorithm}:${encoded}`).toBe(text);
});

test.each([
  `sha256:${hex(63)}`,
  `sha256:${hex(65)}`,
  `sha256:${hex(63)}A`,
  `sha256:${hex(63)}\n`,
  `sha512:${hex(64)}`,
  `blake3:${hex(63)}g`,
  `:${hex(64)}`,
  'sha256:',
  'sha256',
  '',
  'x:a/b',
  'x:..',
  'x:a\0',
  `x:${'a'.repeat(256)}`,
  '../x:a',
  'X:a',
  42,
  null,
  undefined,
])('%j is no digest', (text) => {
  expect(parseDigest(text)).toBeUndefined();
});
