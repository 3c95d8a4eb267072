import { unlink } from 'node:fs/promises';
import type { Digest } from '../../oci/digest.js';
import { errnoOf } from './errors.js';
import { blobPath, recordPath } from './paths.js';
import { lstatIfPresent } from './plain-file.js';
import { readUse } from './record.js';
import type { CacheEntry } from './scan.js';

/** What {@link evict} may throw out, and when it stops. */
export interface EvictRequest {
  readonly root: string;
  /** What there is, of a scan just made. */
  readonly entries: readonly CacheEntry[];
  /** Bytes on the disk that are to become free. */
  readonly bytes: number;
  /** Whether this process has it open. */
  readonly isOpen: (digest: Digest) => boolean;
  /** Called for each that is gone. */
  readonly evicted?: (entry: CacheEntry) => void;
}

/**
 * Throw out what was used longest ago, until enough is free; never what somebody has open.
 * @returns bytes that became free
 * @throws system errors
 */
export async function evict(request: EvictRequest): Promise<number> {
  const oldestFirst = request.entries
    .filter((entry) => !entry.open && entry.state !== 'foreign')
    .sort((one, other) => one.lastUsed - other.lastUsed);
  let freed = 0;
  for (const entry of oldestFirst) {
    if (freed >= request.bytes) break;
    if (request.isOpen(entry.digest) || (await isUsedSince(request.root, entry))) continue;
    if (!(await removeEntry(request.root, entry))) continue;
    freed += entry.diskBytes;
    request.evicted?.(entry);
  }
  return freed;
}

/** Whether anybody has used it since it was scanned. */
async function isUsedSince(root: string, { digest, state, lastUsed, path }: CacheEntry) {
  if (state === 'complete') {
    const use = await readUse(recordPath(root, digest));
    return use !== undefined && (use.open || use.lastUsed !== lastUsed);
  }
  return (await lstatIfPresent(path))?.mtimeMs !== lastUsed;
}

/**
 * Remove a file of the cache, and its record. Who has it open keeps it open.
 * @returns whether it was there
 * @throws system errors
 */
export async function removeEntry(
  root: string,
  { path, state, digest }: Pick<CacheEntry, 'path' | 'state' | 'digest'>,
): Promise<boolean> {
  const removed = await removeFile(path);
  // After the blob: a record alone is litter, a blob without one is hashed again.
  if (state !== 'partial') await removeFile(recordPath(root, digest));
  return removed;
}

/**
 * Remove a file.
 * @returns whether it was there
 * @throws system errors
 */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Remove the complete blob of a digest, unless its file was replaced meanwhile.
 * @param inode of the file that is meant, in decimal
 * @returns whether it was there
 * @throws system errors
 */
export async function removeBlob(root: string, digest: Digest, inode: string): Promise<boolean> {
  const path = blobPath(root, digest);
  const stat = await lstatIfPresent(path);
  if (stat === undefined || String(stat.ino) !== inode) return false;
  return removeEntry(root, { digest, path, state: 'complete' });
}
