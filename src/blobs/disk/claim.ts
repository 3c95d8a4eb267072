import { readdir, rename } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ContentName } from '../disk-cache.js';
import type { CacheDirectory } from './directory.js';
import { errnoOf } from './errors.js';
import { removeFile } from './evict.js';
import type { HasherThread } from './hasher-thread.js';
import { isOwnerAlive } from './owner.js';
import { PartialFile } from './partial-file.js';
import { parsePartialName, partialPath, shardOf } from './paths.js';
import { lstatIfPresent } from './plain-file.js';

/** Times that a claim is tried when others take what was found. */
const ATTEMPTS = 3;

export interface ClaimRequest {
  readonly directory: CacheDirectory;
  readonly name: ContentName;
  /** Bytes. */
  readonly partSize: number;
  readonly owner: string;
  readonly hasher: HasherThread;
}

/** A partial blob's file that is ours alone. */
export interface Claim {
  readonly file: PartialFile;
  readonly path: string;
  /** An earlier run left parts in it. */
  readonly resumed: boolean;
}

/**
 * Take the partial file of a blob, or make one. A file is taken by renaming it, which succeeds for
 * one process only.
 * @returns undefined when another process writes it
 * @throws system errors
 */
export async function claimPartial(request: ClaimRequest): Promise<Claim | undefined> {
  const { directory, name, owner, partSize, hasher } = request;
  const shard = await directory.makeShard('partial', name.digest);
  const path = partialPath(directory.path, name, owner);
  const geometry = { size: name.size, partSize };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const found = await findOthers(request, shard);
    if (found.isWritten) return undefined;
    const [left] = found.left;
    if (left === undefined) {
      const file = await PartialFile.create(path, geometry, hasher);
      try {
        if (!(await hasRival(request, shard))) return { file, path, resumed: false };
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
      await removeFile(path);
      return undefined;
    }
    if (!(await takeOver(left, path))) continue;
    const file = await PartialFile.adopt(path, geometry, hasher);
    if (file !== undefined) return { file, path, resumed: !file.isEmpty };
    await removeFile(path);
  }
  return undefined;
}

/** Files of the blob that others write, or have left. */
async function findOthers({ directory, name, owner }: ClaimRequest, shard: string) {
  const [algorithm] = shardOf(name.digest);
  const prefix = basename(partialPath(directory.path, name));
  const left: string[] = [];
  for (const file of await readdir(shard)) {
    if (!file.startsWith(prefix)) continue;
    const parsed = parsePartialName(algorithm, file);
    if (parsed?.size !== name.size || parsed.digest !== name.digest) continue;
    const path = partialPath(directory.path, name, parsed.owner);
    // Our own is one that could not be removed: it is gone on with.
    if (parsed.owner !== undefined && parsed.owner !== owner) {
      const lastSign = (await lstatIfPresent(path))?.mtimeMs ?? 0;
      if (await isOwnerAlive(parsed.owner, lastSign)) {
        return { isWritten: true, left, rival: parsed.owner };
      }
    }
    left.push(path);
  }
  return { isWritten: false, left };
}

/** Of two that made a file for the same blob at once, the one with the lesser name goes on. */
async function hasRival(request: ClaimRequest, shard: string): Promise<boolean> {
  const { rival } = await findOthers(request, shard);
  return rival !== undefined && rival < request.owner;
}

/** @returns whether it was still there */
async function takeOver(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
