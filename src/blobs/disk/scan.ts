import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, parseDigest } from '../../oci/digest.js';
import { errnoOf } from './errors.js';
import { isOwnerAlive } from './owner.js';
import { parsePartialName, recordPath } from './paths.js';
import { isTrusted, lstatIfPresent } from './plain-file.js';
import { readUse } from './record.js';

/** One file of the cache. */
export interface CacheEntry {
  readonly digest: Digest;
  /** `foreign`: no plain file, or one that others may write to; never served. */
  readonly state: 'complete' | 'partial' | 'foreign';
  /** Bytes of the whole blob; 0 for a foreign file. */
  readonly size: number;
  /** Bytes that it takes on the disk, its record included. */
  readonly diskBytes: number;
  /** Ms since the epoch. */
  readonly lastUsed: number;
  /** Somebody has it open. */
  readonly open: boolean;
  readonly path: string;
}

/** What a file system allots at a time, and a record takes. */
const BLOCK = 4096;

/**
 * Everything in a cache directory, in no order, read as it is asked for. What comes and goes
 * meanwhile may be missing.
 * @throws system errors, but not for files that are gone
 */
export async function* scanCache(root: string, signal?: AbortSignal): AsyncGenerator<CacheEntry> {
  for await (const { algorithm, path, file } of filesOf(join(root, 'blobs'), signal)) {
    const digest = parseDigest(`${algorithm}:${file}`);
    const entry = digest && (await complete(root, digest, path));
    if (entry !== undefined) yield entry;
  }
  for await (const { algorithm, path, file } of filesOf(join(root, 'partial'), signal)) {
    const name = parsePartialName(algorithm, file);
    const stat = name && (await lstatIfPresent(path));
    if (name === undefined || stat === undefined) continue;
    const lastUsed = stat.mtimeMs;
    yield {
      digest: name.digest,
      state: 'partial',
      size: name.size,
      diskBytes: stat.blocks * 512,
      lastUsed,
      open: name.owner !== undefined && (await isOwnerAlive(name.owner, lastUsed)),
      path,
    };
  }
}

/** A file two directories below a room. */
export interface ShardFile {
  readonly algorithm: string;
  readonly path: string;
  readonly file: string;
}

/**
 * The files of a room.
 * @throws system errors
 */
export async function* filesOf(room: string, signal?: AbortSignal): AsyncGenerator<ShardFile> {
  for (const algorithm of await namesIn(room)) {
    for (const shard of await namesIn(join(room, algorithm))) {
      signal?.throwIfAborted();
      const directory = join(room, algorithm, shard);
      for (const file of await namesIn(directory)) {
        yield { algorithm, path: join(directory, file), file };
      }
    }
  }
}

async function complete(
  root: string,
  digest: Digest,
  path: string,
): Promise<CacheEntry | undefined> {
  const stat = await lstatIfPresent(path);
  if (stat === undefined) return undefined;
  if (!stat.isFile() || !isTrusted(stat)) {
    const lastUsed = stat.mtimeMs;
    return { digest, state: 'foreign', size: 0, diskBytes: 0, lastUsed, open: false, path };
  }
  const use = await readUse(recordPath(root, digest));
  return {
    digest,
    state: 'complete',
    size: stat.size,
    diskBytes: Math.ceil(stat.size / BLOCK) * BLOCK + BLOCK,
    lastUsed: use?.lastUsed ?? stat.mtimeMs,
    open: use?.open ?? false,
    path,
  };
}

/** Names in a directory; none where it is none. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
