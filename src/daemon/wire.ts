import { resolve } from 'node:path';
import { Blobs } from '../blobs/blobs.js';
import type { LocalDiskCache } from '../blobs/disk/local-disk-cache.js';
import { Catalog } from '../catalog/catalog.js';
import { RepositoryFilter } from '../config/repository-filter.js';
import { Tree } from '../tree/tree.js';
import { openSource, type OpenedSource, type SourceRequest } from './open-source.js';

/** What `--verify off` gives up. */
const UNVERIFIED =
  'Blobs are not verified (--verify off): readers may get wrong bytes without an error, from a store that is damaged or tampered with.';

/** A source as a file system, not mounted yet. */
export interface WiredSource extends OpenedSource {
  readonly blobs: Blobs;
  readonly catalog: Catalog;
  readonly tree: Tree;
  /** The cache on the local disk, where one was asked for. */
  readonly disk?: LocalDiskCache;
}

/**
 * Build the floors on one another: store, registry, blobs, catalog, tree.
 * @param inodeKey the secret of {@link readInodeKey}
 * @param check called with the source before a cache is made
 * @throws as {@link openSource} and `check`; CacheDirectoryError
 */
export async function wire(
  request: SourceRequest,
  inodeKey: Buffer,
  check: (opened: OpenedSource) => Promise<void> = () => Promise.resolve(),
): Promise<WiredSource> {
  const selection = new RepositoryFilter(request.options);
  const opened = await openSource(request);
  try {
    await check(opened);
    return wireOpened(opened, selection, request, inodeKey, await openCache(request));
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** @throws CacheDirectoryError */
async function openCache({ options, log, counters }: SourceRequest) {
  const { cacheDir, cacheSize, cacheMinFree } = options;
  if (cacheDir === undefined) return undefined;
  const { openDiskCache } = await import('../blobs/disk/local-disk-cache.js');
  return openDiskCache({
    directory: resolve(cacheDir),
    maxBytes: cacheSize,
    minFreeBytes: cacheMinFree,
    log,
    counters,
  });
}

/** The floors above the registry, over a source that is open already. */
export function wireOpened(
  opened: OpenedSource,
  selection: RepositoryFilter,
  { options, log, counters }: Pick<SourceRequest, 'options' | 'log' | 'counters'>,
  inodeKey: Buffer,
  disk?: LocalDiskCache,
): WiredSource {
  const { registry } = opened;
  const shared = {
    registry,
    refreshMs: options.refresh,
    deadlineMs: options.readTimeout,
    log,
    counters,
  };
  // Parts of blobs are what readers wait for; documents are small and read again and again.
  const blobs = new Blobs({
    ...shared,
    disk,
    verify: options.verify,
    memoryBytes: Math.floor(options.memory * 0.75),
  });
  const catalog = new Catalog({
    ...shared,
    blobs,
    selection,
    memoryBytes: Math.floor(options.memory * 0.25),
  });
  const tree = new Tree({ ...shared, catalog, blobs, inodeKey, hardLinks: options.hardLinks });
  const close = async () => {
    await blobs.close();
    await disk?.close();
    await opened.close();
  };
  const warnings = [...opened.warnings, ...(options.verify === 'off' ? [UNVERIFIED] : [])];
  return { ...opened, warnings, blobs, catalog, tree, close, ...(disk && { disk }) };
}
