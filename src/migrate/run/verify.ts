import { digestParts, type Digest } from '../../oci/digest.js';
import { createHasher, type Hasher } from '../../oci/hash.js';
import { isStoreError } from '../../store/errors.js';
import type { ObjectStore } from '../../store/object-store.js';

/** What reading an object back told. */
export type Verdict =
  | { readonly state: 'right'; readonly size: number; readonly etag?: string }
  /** Its bytes hash to another digest. */
  | { readonly state: 'wrong'; readonly actual: Digest }
  | { readonly state: 'absent' };

/** Failures in the middle of a body after which the rest is asked for. */
const MOST_BREAKS = 5;

/**
 * Read a whole object and compare its bytes with the digest that they should have. A transfer that
 * breaks is taken up where it ended, as long as the object is still the same.
 * @throws StoreError, RangeError when the algorithm is not supported, which callers ask before
 */
export async function verify(
  store: ObjectStore,
  key: string,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Verdict> {
  const hasher = createHasher(digestParts(digest).algorithm);
  if (hasher === undefined) throw new RangeError(`Nothing here can compute ${digest}.`);
  const reading: Reading = { hasher, offset: 0 };
  for (let breaks = 0; ; breaks += 1) {
    const before = reading.offset;
    try {
      await readOn(store, key, reading, signal);
      break;
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return { state: 'absent' };
      if (isStoreError(error, 'PreconditionFailed') && reading.offset > 0) {
        return verify(store, key, digest, signal);
      }
      if (!isStoreError(error, 'Interrupted', 'Timeout') || breaks >= MOST_BREAKS) throw error;
      if (reading.offset > before) breaks = 0;
    }
  }
  const actual = hasher.digest();
  if (actual !== digest) return { state: 'wrong', actual };
  const { etag } = reading;
  return { state: 'right', size: reading.offset, ...(etag !== undefined && { etag }) };
}

interface Reading {
  readonly hasher: Hasher;
  offset: number;
  size?: number;
  etag?: string;
}

async function readOn(
  store: ObjectStore,
  key: string,
  reading: Reading,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { offset, size, etag } = reading;
  if (size !== undefined && offset >= size) return;
  const answer = await store.get(key, {
    ...(offset > 0 && size !== undefined && { range: { offset, length: size - offset } }),
    ...(offset > 0 && etag !== undefined && { ifMatch: etag }),
    ...(signal !== undefined && { signal }),
  });
  reading.size = answer.info.size;
  if (answer.info.etag !== undefined) reading.etag = answer.info.etag;
  for await (const chunk of answer.body) {
    reading.hasher.update(chunk);
    reading.offset += chunk.length;
  }
}
