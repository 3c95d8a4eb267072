import { StoreError, type StoreErrorCode } from '../errors.js';

/** The errno of a system error, or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Errnos by which a path component is absent, no directory, a link, or no possible name. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'ENODEV']);

/** Errnos that say the disk or the process has run out of something, or that it may work later. */
const UNAVAILABLE = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'ESTALE', 'EINTR']);

/**
 * A failed system call as a {@link StoreError}; a `StoreError` passes unchanged. `what` completes
 * "Cannot …", e.g. `read "a/b" in file:///srv`.
 */
export function localFailure(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const errno = errnoOf(error);
  const [code, advice] = explain(errno);
  return new StoreError(
    code,
    `Cannot ${what}: ${advice}${errno === undefined ? '' : ` (${errno})`}.`,
    {
      cause: error,
    },
  );
}

/** As {@link localFailure}, for the root directory itself. */
export function rootFailure(error: unknown, root: string): StoreError {
  const errno = errnoOf(error) ?? '';
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new StoreError(
      'NoSuchBucket',
      `There is no directory "${root}": check the path of the source, and that its disk is mounted.`,
      { cause: error },
    );
  }
  return localFailure(error, `open the directory "${root}"`);
}

function explain(errno: string | undefined): [StoreErrorCode, string] {
  if (errno === undefined) return ['Failed', 'an unexpected error, see its cause'];
  if (ABSENT.has(errno)) return ['NotFound', 'there is no such object'];
  if (UNAVAILABLE.has(errno)) return ['Unavailable', 'the system is short of resources, try again'];
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
      return ['AccessDenied', 'this user has no permission, see the owner and mode of the path'];
    case 'EROFS':
      return ['AccessDenied', 'the file system is read-only'];
    case 'ENOSPC':
    case 'EDQUOT':
      return ['Failed', 'no space is left, free some and try again'];
    case 'EIO':
      return ['Failed', 'the disk reports an error, see the kernel log'];
    default:
      return ['Failed', 'the system refused'];
  }
}
