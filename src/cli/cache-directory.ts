import { CacheDirectory } from '../blobs/disk/directory.js';
import type { Options } from '../config/options.js';
import { UsageError } from '../config/usage-error.js';

/**
 * The path of the cache that a command was given.
 * @throws UsageError without one, CacheDirectoryError when it is none
 */
export async function cacheDirectory({ cacheDir }: Options): Promise<string> {
  if (cacheDir === undefined) {
    throw new UsageError('Name the cache with --cache-dir (or LAYOUTFS_CACHE_DIR).');
  }
  return (await CacheDirectory.open(cacheDir, { create: false })).path;
}
