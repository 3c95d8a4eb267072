import type { Digest } from '../../oci/digest.js';

/** Keys that one request deletes. */
export const KEYS_PER_DELETION = 1000;

/** A digest of which nothing can be moved. */
export interface Skipped {
  readonly digest: Digest;
  /** A full sentence. */
  readonly reason: string;
  /** The store refused to read or write an object of it, which may be mended. */
  readonly passing?: boolean;
}

/** Store requests by what they are billed as, and the bytes that go through this host. */
export interface Requests {
  readonly list: number;
  /** PUT, COPY and POST, each part of a multipart copy included. */
  readonly put: number;
  /** GET and HEAD. */
  readonly get: number;
  /** DELETE, of one key or of many. */
  readonly delete: number;
  /** Bytes of bodies received from the store. */
  readonly bytesRead: number;
  /** Bytes of bodies sent to the store. */
  readonly bytesWritten: number;
}

export const NO_REQUESTS: Requests = {
  list: 0,
  put: 0,
  get: 0,
  delete: 0,
  bytesRead: 0,
  bytesWritten: 0,
};

/** The sum of several counts, each of which may lack what it has none of. */
export function sum(...counts: readonly Partial<Requests>[]): Requests {
  const total = { ...NO_REQUESTS };
  for (const count of counts) {
    for (const name of Object.keys(total) as (keyof Requests)[]) total[name] += count[name] ?? 0;
  }
  return total;
}

/** How many requests these are altogether. */
export function requestCount(requests: Requests): number {
  return requests.list + requests.put + requests.get + requests.delete;
}
