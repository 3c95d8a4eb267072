import { join } from 'node:path';
import { type Digest, digestParts, parseDigest } from '../../oci/digest.js';
import type { ContentName } from '../disk-cache.js';

/**
 * Names of everything in a cache directory (docs/cache.md draws it). A file that has none of these
 * names is not ours and is never touched.
 */

/** The file that tells a cache directory from any other, and its version from later ones. */
export const MARKER = 'layoutfs-cache';

/** What {@link MARKER} holds; raised when an older layoutfs would misread the directory. */
export const MARKER_TEXT = 'layoutfs cache, version 1\n';

/** Directories below the cache directory. */
export const ROOMS = ['blobs', 'records', 'partial'] as const;

export type Room = (typeof ROOMS)[number];

/** Begins the names of files that are being written, and of nothing else. */
export const UNFINISHED = '.new-';

/** Where a digest's files lie: `<algorithm>/<first two characters>`. */
export function shardOf(digest: Digest): readonly [string, string] {
  const { algorithm, encoded } = digestParts(digest);
  return [algorithm, encoded.slice(0, 2)];
}

/** The directory of a digest's files in one room. */
export function shardPath(root: string, room: Room, digest: Digest): string {
  return join(root, room, ...shardOf(digest));
}

/** The complete blob of a digest. */
export function blobPath(root: string, digest: Digest): string {
  return join(shardPath(root, 'blobs', digest), digestParts(digest).encoded);
}

/** What is recorded about the complete blob of a digest. */
export function recordPath(root: string, digest: Digest): string {
  return join(shardPath(root, 'records', digest), digestParts(digest).encoded);
}

/** A partial blob's file as its name tells about it. */
export interface PartialName {
  readonly digest: Digest;
  /** Bytes of the whole blob. */
  readonly size: number;
  /** Who writes it; undefined when nobody does. */
  readonly owner?: string;
}

/** The file of a partial blob: with an owner while somebody writes it. */
export function partialPath(root: string, { digest, size }: ContentName, owner?: string): string {
  const name = `${digestParts(digest).encoded}.${size}`;
  const shard = shardPath(root, 'partial', digest);
  return join(shard, owner === undefined ? name : `${name}~${owner}`);
}

/** What a file's name in a shard of `partial/<algorithm>/` says; undefined when it is not ours. */
export function parsePartialName(algorithm: string, file: string): PartialName | undefined {
  const match = /^([^.~]+)\.(\d{1,16})(?:~([a-z0-9.-]+))?$/.exec(file);
  const digest = parseDigest(`${algorithm}:${match?.[1] ?? ''}`);
  const size = Number(match?.[2]);
  if (digest === undefined || !Number.isSafeInteger(size)) return undefined;
  const owner = match?.[3];
  return { digest, size, ...(owner !== undefined && { owner }) };
}
