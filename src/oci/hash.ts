import { createHash } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import type { Digest } from './digest.js';

/** An incremental hash over a blob's bytes. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The digest of all bytes so far, `algorithm:encoded`. May be called once. */
  digest(): Digest;
}

/** Algorithms of the image spec that node:crypto knows under the same name. */
const NODE_ALGORITHMS: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512']);

/** Whether {@link createHasher} knows `algorithm`. */
export function isHashSupported(algorithm: string): boolean {
  return NODE_ALGORITHMS.has(algorithm) || algorithm === 'blake3';
}

/** A hasher for `algorithm`, or undefined when blobs of that algorithm cannot be verified. */
export function createHasher(algorithm: string): Hasher | undefined {
  if (NODE_ALGORITHMS.has(algorithm)) {
    const hash = createHash(algorithm);
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => `${algorithm}:${hash.digest('hex')}` as Digest,
    };
  }
  if (algorithm === 'blake3') {
    const hash = blake3.create();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => `blake3:${Buffer.from(hash.digest()).toString('hex')}` as Digest,
    };
  }
  return undefined;
}

/** The digest of `bytes`, or undefined when `algorithm` is not supported. */
export function digestOf(algorithm: string, bytes: Uint8Array): Digest | undefined {
  const hasher = createHasher(algorithm);
  hasher?.update(bytes);
  return hasher?.digest();
}
