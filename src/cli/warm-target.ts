import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blobs } from '../blobs/blobs.js';
import type { ContentName } from '../blobs/disk-cache.js';
import type { LocalDiskCache } from '../blobs/disk/local-disk-cache.js';
import { blobPath } from '../blobs/disk/paths.js';
import type { BlobName } from '../blobs/finder.js';
import type { MountStatus } from '../daemon/status.js';
import { digestParts } from '../oci/digest.js';

/** Where blobs are fetched to, and how: a reader that reads them whole makes them stay. */
export interface WarmTarget {
  /** Bytes that the cache may take; undefined where that is not known. */
  readonly maxBytes: number | undefined;
  /** Whether the whole blob is in the cache; undefined where that cannot be told. */
  has(name: ContentName): Promise<boolean | undefined>;
  /** Why the cache takes nothing at the moment. */
  trouble(): Promise<string | undefined>;
  /** Bytes that were fetched and are still to be written; undefined where that is not known. */
  unwrittenBytes(): Promise<number | undefined>;
  /** @throws BlobError, system errors */
  open(name: BlobName): Promise<WarmReader>;
}

export interface WarmReader {
  /**
   * Read on, at most `length` bytes.
   * @returns how many were read
   */
  read(position: number, length: number): Promise<number>;
  close(): Promise<void>;
}

/** A cache that this process fills. */
export function cacheTarget(cache: LocalDiskCache, blobs: Blobs): WarmTarget {
  return {
    maxBytes: cache.status().maxBytes,
    has: async (name) => {
      const blob = await cache.open(name);
      blob?.close();
      return blob !== undefined;
    },
    trouble: () => Promise.resolve(cache.status().trouble),
    unwrittenBytes: () => Promise.resolve(blobs.unwrittenBytes),
    open: async (name) => {
      const blob = await blobs.open(name);
      return {
        read: async (position, length) => (await blob.read(position, length)).byteLength,
        close: () => Promise.resolve(void blob.close()),
      };
    },
  };
}

/**
 * The cache of a mount, filled by reading through the mount.
 * @param status asks the mount; undefined when it cannot be asked
 */
export function mountTarget(
  mountpoint: string,
  first: MountStatus | undefined,
  status: () => Promise<MountStatus | undefined>,
): WarmTarget {
  const directory = first?.cache?.directory;
  return {
    maxBytes: first?.cache?.maxBytes,
    has: async ({ digest, size }) => {
      if (directory === undefined) return undefined;
      return lstat(blobPath(directory, digest)).then(
        (found) => found.isFile() && found.size === size,
        () => false,
      );
    },
    trouble: async () => (await status())?.cache?.trouble,
    unwrittenBytes: async () => (await status())?.cache?.unwrittenBytes,
    open: async ({ repository, digest }) => {
      const { algorithm, encoded } = digestParts(digest);
      const file = await open(join(mountpoint, repository, 'blobs', algorithm, encoded), 'r');
      const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
      return {
        read: async (position, length) =>
          (await file.read(buffer, 0, Math.min(length, buffer.length), position)).bytesRead,
        close: () => file.close(),
      };
    },
  };
}
