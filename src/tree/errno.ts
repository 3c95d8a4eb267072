import { isBlobError } from '../blobs/errors.js';
import { CatalogError } from '../catalog/errors.js';
import { isStoreError } from '../store/errors.js';
import { ErrnoError } from './file-system.js';

/**
 * The errno for whatever went wrong below: absent is ENOENT, refused is EACCES, broken is EIO.
 * Errors that are no failure of a store are bugs and stay what they are.
 */
export function toErrno(error: unknown): unknown {
  if (error instanceof ErrnoError) return error;
  if (isBlobError(error)) {
    return new ErrnoError(error.code === 'absent' ? 'ENOENT' : 'EIO', error.message, {
      cause: error,
    });
  }
  if (isStoreError(error)) {
    return new ErrnoError(error.code === 'AccessDenied' ? 'EACCES' : 'EIO', error.message, {
      cause: error,
    });
  }
  if (error instanceof CatalogError) return new ErrnoError('EIO', error.message, { cause: error });
  return error;
}
