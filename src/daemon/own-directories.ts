import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from '../config/usage-error.js';
import { parseSource } from '../store/source.js';
import type { StorePlace } from './open-source.js';

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
  for (const { store } of places) {
    const source = store.name.startsWith('file:') ? parseSource(store.name) : undefined;
    if (source?.kind !== 'file' || !(await isWithin(mountpoint, source.root))) continue;
    throw new UsageError(
      `The mountpoint ${mountpoint} lies in the source ${store.name}, so that the mount would show itself in itself. Choose a mountpoint outside of it.`,
    );
  }
  if (cacheDir === undefined || !(await isWithin(mountpoint, resolve(cacheDir)))) return;
  throw new UsageError(
    `The mountpoint ${mountpoint} lies in the cache directory ${cacheDir}. Choose a mountpoint outside of it.`,
  );
}

async function isWithin(path: string, directory: string): Promise<boolean> {
  const canonical = await realpath(directory);
  return `${path}/`.startsWith(canonical === '/' ? '/' : `${canonical}/`);
}
