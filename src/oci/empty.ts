import type { Digest } from './digest.js';
import { digestOf } from './hash.js';

const NO_BYTES = new Uint8Array();

/** Digests of zero bytes: the only ones for which an object of size 0 is right. */
const EMPTY_DIGESTS: ReadonlySet<Digest | undefined> = new Set(
  ['sha256', 'sha384', 'sha512', 'blake3'].map((algorithm) => digestOf(algorithm, NO_BYTES)),
);

/** Whether `digest` is that of zero bytes, so that an empty object is its content and no placeholder. */
export function isEmptyDigest(digest: Digest): boolean {
  return EMPTY_DIGESTS.has(digest);
}
