/** Why the bytes of a blob cannot be had. */
export type BlobErrorCode =
  /** No stored object has the bytes (none at all, or placeholders only). */
  | 'absent'
  /** Stored objects exist, but none of the length that the descriptor claims. */
  | 'wrong-size'
  /** The stored bytes do not hash to the digest. */
  | 'mismatch'
  /** The digest's algorithm cannot be computed here, so nothing read could be trusted. */
  | 'unsupported'
  /** The store refused, failed or did not answer in time. */
  | 'unavailable';

/** A failed blob operation; the message names the digest and the reason. */
export class BlobError extends Error {
  override readonly name = 'BlobError';

  constructor(
    readonly code: BlobErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Whether `error` is a {@link BlobError} with one of these codes. */
export function isBlobError(error: unknown, ...codes: BlobErrorCode[]): error is BlobError {
  return error instanceof BlobError && (codes.length === 0 || codes.includes(error.code));
}
