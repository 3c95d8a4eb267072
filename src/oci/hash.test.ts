import { describe, expect, test } from 'vitest';
import { parseDigest } from './digest.js';
import { isEmptyDigest } from './empty.js';
import { createHasher, digestOf, isHashSupported } from './hash.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Digests of "abc": FIPS 180-4 examples, and the BLAKE3 reference implementation. */
const ABC = {
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  sha384:
    'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
  sha512:
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  blake3: '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
};

describe.each(Object.entries(ABC))('%s', (algorithm, encoded) => {
  test('hashes in parts', () => {
    const hasher = createHasher(algorithm);
    hasher?.update(text('a'));
    hasher?.update(text(''));
    hasher?.update(text('bc'));
    expect(hasher?.digest()).toBe(`${algorithm}:${encoded}`);
    expect(isHashSupported(algorithm)).toBe(true);
  });

  test('knows the digest of nothing from others', () => {
    const empty = digestOf(algorithm, text(''));
    const full = digestOf(algorithm, text('abc'));
    if (empty === undefined || full === undefined) throw new Error('not hashed');
    expect(isEmptyDigest(empty)).toBe(true);
    expect(isEmptyDigest(full)).toBe(false);
  });
});

test('the digest of nothing is the known one', () => {
  const known = parseDigest(
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  expect(known !== undefined && isEmptyDigest(known)).toBe(true);
});

test.each(['md5', 'SHA256', '', 'sha256+b64'])('there is no hasher for %j', (algorithm) => {
  expect(createHasher(algorithm)).toBeUndefined();
  expect(isHashSupported(algorithm)).toBe(false);
});
