/**
 * A directory cannot be used as a cache. The message is a full sentence that names it and says what
 * to do. Commands end with exit code 2.
 */
export class CacheDirectoryError extends Error {
  override readonly name = 'CacheDirectoryError';
}

/** The errno of a system error, or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
