import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../config/usage-error.js';
import { parseSource } from '../store/source.js';
import type { StorePlace } from './open-source.js';

/**
 * Refuse a cache that would lie in a source: what a mount reads from it never writes to.
 * @param stores their names
 * @throws UsageError
 */
export async function refuseCacheInSource(
  cacheDir: string | undefined,
  stores: readonly string[],
): Promise<void> {
  if (cacheDir === undefined) return;
  const directory = await canonical(resolve(cacheDir));
  for (const { name, root } of directoriesOf(stores)) {
    if (!(await isWithin(directory, root))) continue;
    throw new UsageError(
      `The cache directory ${cacheDir} lies in the source ${name}, to which nothing is written. Choose a directory outside of it.`,
    );
  }
}

/**
 * Refuse a mountpoint that lies in a directory which the mount itself reads: it would show itself in
 * itself, without end, and the daemon would wait in the kernel for its own answers.
 * @param mountpoint without symbolic links in it
 * @throws UsageError
 */
export async function refuseOwnDirectories(
  mountpoint: string,
  places: readonly StorePlace[],
  cacheDir: string | undefined,
): Promise<void> {
  for (const { name, root } of directoriesOf(places.map(({ store }) => store.name))) {
    if (!(await isWithin(mountpoint, root))) continue;
    throw new UsageError(
      `The mountpoint ${mountpoint} lies in the source ${name}, so that the mount would show itself in itself. Choose a mountpoint outside of it.`,
    );
  }
  if (cacheDir === undefined || !(await isWithin(mountpoint, resolve(cacheDir)))) return;
  throw new UsageError(
    `The mountpoint ${mountpoint} lies in the cache directory ${cacheDir}. Choose a mountpoint outside of it.`,
  );
}

/** The stores that are directories. */
function directoriesOf(stores: readonly string[]): { name: string; root: string }[] {
  return stores.flatMap((name) => {
    const source = name.startsWith('file:') ? parseSource(name) : undefined;
    return source?.kind === 'file' ? [{ name, root: source.root }] : [];
  });
}

async function isWithin(path: string, directory: string): Promise<boolean> {
  const outer = await canonical(directory);
  return `${path}/`.startsWith(outer === '/' ? '/' : `${outer}/`);
}

/** Without symbolic links, also where the end of the path does not exist yet. */
async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (path === '/' || !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw error;
    }
    return join(await canonical(dirname(path)), basename(path));
  }
}
