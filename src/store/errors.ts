/**
 * Why a store request failed, in terms the floors above act on.
 */
export type StoreErrorCode =
  /** No such key. */
  | 'NotFound'
  /** No such bucket or directory. */
  | 'NoSuchBucket'
  /** The store said no (403); on S3 without ListBucket permission also for absent keys. */
  | 'AccessDenied'
  /** Missing, wrong or expired credentials. */
  | 'BadCredentials'
  /** `ifMatch` no longer holds (412). */
  | 'PreconditionFailed'
  /** `ifNoneMatch` still holds (304). */
  | 'NotModified'
  /** The range begins at or after the end of the object (416). */
  | 'RangeNotSatisfiable'
  /** The object is in an archive tier and must be restored first. */
  | 'Archived'
  /** The endpoint could not be reached: name, connection or TLS. */
  | 'Unreachable'
  /** No answer within the deadline. */
  | 'Timeout'
  /** The store asks to slow down or fails (429, 5xx), after retries. */
  | 'Unavailable'
  /** The body ended early or the connection broke in the middle. */
  | 'Interrupted'
  /** The caller aborted. */
  | 'Aborted'
  /** Anything else; see `cause`. */
  | 'Failed';

/** A failed store request; the message is a full sentence that names the key and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Whether `error` is a {@link StoreError} with one of these codes. */
export function isStoreError(error: unknown, ...codes: StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
}
