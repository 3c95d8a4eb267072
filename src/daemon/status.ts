import type { MountedFileSystem } from '../fuse/transport.js';
import type { DiskCacheStatus } from '../blobs/disk/local-disk-cache.js';
import type { CounterName, Counters } from '../observe/counters.js';
import type { MountJob } from './mount-daemon.js';
import type { WiredSource } from './wire.js';

/** What a mount says about itself, as plain data: the answer to `GET /status`. */
export interface MountStatus {
  readonly version: string;
  readonly pid: number;
  readonly mountpoint: string;
  /** The source's URL, or the zot configuration it was taken from. */
  readonly source: string;
  /** What was detected there: layout, root prefix, where blobs live. */
  readonly registry: string;
  readonly transport: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  /**
   * `stopping` while it unmounts. `detached`: it is unmounted, and ends with its last reader; only
   * who asks can tell, by the mount table.
   */
  readonly state: 'ready' | 'stopping' | 'detached';
  readonly store: StoreHealth;
  /** Repositories whose `index.json` could not be revalidated when it was last used. */
  readonly staleIndexes: readonly string[];
  /** Digests met so far for which no stored object has the bytes. */
  readonly unresolved: readonly UnresolvedDigest[];
  /** What its start found out that the user should know. */
  readonly notes: readonly string[];
  /** Where its log goes. */
  readonly log: string;
  /** What the kernel holds of the tree. */
  readonly tree: { readonly inodes: number; readonly openFiles: number };
  /** Requests of the kernel so far, by kind; see `MountedFileSystem.requests`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly memory: {
    readonly rssBytes: number;
    readonly heapBytes: number;
    /** The option `memory`: what blobs and documents may take of it. */
    readonly budgetBytes: number;
  };
  /** The disk cache, where it has one. */
  readonly cache?: DiskCacheStatus & {
    /** Bytes in memory that are still to be written to it. */
    readonly unwrittenBytes: number;
  };
  readonly counters: Readonly<Record<CounterName, number>>;
}

export interface UnresolvedDigest {
  readonly repository: string;
  readonly digest: string;
}

/** How the store answered lately. */
export interface StoreHealth {
  /** False while the newest answers were failures of the store, not absences. */
  readonly healthy: boolean;
  readonly lastError?: { readonly at: string; readonly code: string; readonly message: string };
}

/** The parts of a mount that its status is read from. */
export interface MountParts {
  readonly job: MountJob;
  readonly mountpoint: string;
  readonly wired: WiredSource;
  readonly mounted: MountedFileSystem;
  readonly counters: Counters;
  readonly transport: string;
  state(): MountStatus['state'];
}

/** What answers `status` from now on; its start is the mount's. Costs no request. */
export function describeMount(parts: MountParts): () => MountStatus {
  const { job, wired } = parts;
  const startedAt = new Date();
  return () => {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      version: job.version,
      pid: process.pid,
      mountpoint: parts.mountpoint,
      source: wired.name,
      registry: wired.registry.description,
      transport: parts.transport,
      startedAt: startedAt.toISOString(),
      uptimeSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      state: parts.state(),
      store: wired.health.snapshot(),
      staleIndexes: wired.catalog.staleRepositories(),
      unresolved: wired.blobs.lost().map(({ repository, digest }) => ({ repository, digest })),
      notes: wired.warnings,
      log: job.logDestination,
      tree: wired.tree.status(),
      requests: parts.mounted.requests(),
      memory: { rssBytes: rss, heapBytes: heapUsed, budgetBytes: job.options.memory },
      ...(wired.disk && {
        cache: { ...wired.disk.status(), unwrittenBytes: wired.blobs.unwrittenBytes },
      }),
      counters: parts.counters.snapshot(),
    };
  };
}
