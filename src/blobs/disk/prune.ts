import { statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseDigest } from '../../oci/digest.js';
import { removeEntry, removeFile } from './evict.js';
import { blobPath, UNFINISHED } from './paths.js';
import { lstatIfPresent } from './plain-file.js';
import { type CacheEntry, filesOf, scanCache } from './scan.js';

/** What is to go. */
export type PruneRule =
  /** What was used longest ago, until the cache takes no more, and so much of its disk is free. */
  | { readonly maxBytes: number; readonly minFreeBytes: number }
  /** What was not used since, ms since the epoch. */
  | { readonly unusedSince: number }
  | 'all';

/** What {@link prune} removed, or would remove. */
export interface Pruned {
  readonly removed: readonly CacheEntry[];
  /** What the rule would have removed, had nobody had it open. */
  readonly open: readonly CacheEntry[];
  /** Bytes on the disk that are left. */
  readonly leftBytes: number;
}

/** Litter that young may be somebody's work, in ms. */
const LITTER_MS = 3_600_000;

/**
 * Remove blobs from a cache, never what somebody has open. Mounts may use it meanwhile.
 * @throws system errors
 */
export async function prune(
  root: string,
  rule: PruneRule,
  { dryRun }: { dryRun: boolean },
): Promise<Pruned> {
  const entries: CacheEntry[] = [];
  for await (const entry of scanCache(root)) entries.push(entry);
  entries.sort((one, other) => one.lastUsed - other.lastUsed);
  const used = entries.reduce((sum, { diskBytes }) => sum + diskBytes, 0);
  const isWanted = await selection(root, rule, used);
  const removed: CacheEntry[] = [];
  const open: CacheEntry[] = [];
  let freed = 0;
  for (const entry of entries) {
    if (!isWanted(entry, freed)) continue;
    if (entry.open) {
      open.push(entry);
      continue;
    }
    if (!dryRun && !(await removeEntry(root, entry))) continue;
    removed.push(entry);
    freed += entry.diskBytes;
  }
  if (!dryRun) await sweep(root);
  return { removed, open, leftBytes: used - freed };
}

async function selection(
  root: string,
  rule: PruneRule,
  used: number,
): Promise<(entry: CacheEntry, freed: number) => boolean> {
  if (rule === 'all') return () => true;
  if ('unusedSince' in rule) return ({ lastUsed }) => lastUsed < rule.unusedSince;
  const { bavail, bsize } = await statfs(root);
  const over = Math.max(used - rule.maxBytes, rule.minFreeBytes - bavail * bsize);
  return ({ state }, freed) => state !== 'foreign' && freed < over;
}

/** Remove what processes that died left behind: half-written records, and records of no blob. */
async function sweep(root: string): Promise<void> {
  const old = Date.now() - LITTER_MS;
  for await (const { algorithm, path, file } of filesOf(join(root, 'records'))) {
    const digest = parseDigest(`${algorithm}:${basename(file)}`);
    const isLitter =
      digest === undefined
        ? file.startsWith(UNFINISHED)
        : (await lstatIfPresent(blobPath(root, digest))) === undefined;
    if (isLitter && ((await lstatIfPresent(path))?.mtimeMs ?? Infinity) < old) {
      await removeFile(path);
    }
  }
}
