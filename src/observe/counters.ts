/**
 * Every number that layoutfs counts, named in one place. `layoutfs status` prints them and tests
 * assert costs with them.
 */
export const COUNTERS = {
  'store.list': 'LIST requests answered or failed (one per page)',
  'store.get': 'GET requests, conditional ones included',
  'store.notModified': 'GET requests answered "not modified"',
  'store.head': 'HEAD requests',
  'store.write': 'PUT, COPY and DELETE requests',
  'store.error': 'requests that failed for another reason than absence or a condition',
  'store.bytes': 'body bytes received from the store',
  'registry.ignoredKeys': 'keys in listings that no registry writes (bad names, directory markers)',
  'registry.flatList': 'flat listings of the whole store, made to resolve placeholders',
  'catalog.indexRead': 'versions of an index.json read',
  'catalog.indexStale': 'answers from an index.json that could not be revalidated',
  'catalog.indexBad': 'index.json versions that are not a valid image index',
  'catalog.manifestRead': 'manifests and nested indexes read and parsed',
  'catalog.manifestBad': 'manifests that could not be parsed',
  'blobs.open': 'blob opens',
  'blobs.verified': 'blobs whose bytes were read in full and hash to their name',
  'blobs.mismatch': 'blobs whose bytes do not hash to their name',
  'blobs.placeholder': 'zero-byte dedupe placeholders met',
  'blobs.unresolved': 'digests for which no stored object has the bytes',
  'blobs.wrongSize': 'stored objects whose size differs from their descriptor',
  'blobs.fromRepository': 'blobs found under their own repository',
  'blobs.fromShared': 'blobs found under a shared prefix',
  'blobs.fromOther': 'blobs found under another repository',
  'cache.hit': 'opens answered by a complete blob of the disk cache',
  'cache.miss': 'opens for which the disk cache had no complete blob',
  'cache.bytesRead': 'bytes read from the disk cache, not counting what the kernel reads by itself',
  'cache.bytesWritten': 'bytes of blobs written to the disk cache',
  'cache.completed': 'blobs that became complete in the disk cache',
  'cache.resumed': 'partial blobs of an earlier run that were gone on with',
  'cache.rehashed': 'blobs of the disk cache hashed again because their file had changed',
  'cache.damaged': 'files of the disk cache with wrong bytes, removed',
  'cache.foreign': 'files in the disk cache that were not ours, not used',
  'cache.evicted': 'blobs thrown out of the disk cache for want of room',
  'cache.evictedBytes': 'bytes thrown out of the disk cache for want of room',
  'cache.error': 'failures of the disk behind the cache',
} as const;

export type CounterName = keyof typeof COUNTERS;

/** Monotonic counters of one mount or one command. */
export class Counters {
  readonly #values = new Map<CounterName, number>();

  increment(name: CounterName, by = 1): void {
    this.#values.set(name, this.get(name) + by);
  }

  get(name: CounterName): number {
    return this.#values.get(name) ?? 0;
  }

  /** All counters, zeros included, in the order of {@link COUNTERS}. */
  snapshot(): Record<CounterName, number> {
    const names = Object.keys(COUNTERS) as CounterName[];
    return Object.fromEntries(names.map((name) => [name, this.get(name)])) as Record<
      CounterName,
      number
    >;
  }
}
