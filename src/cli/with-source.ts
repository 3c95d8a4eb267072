import { resolve } from 'node:path';
import { Blobs } from '../blobs/blobs.js';
import type { DiskCache } from '../blobs/disk-cache.js';
import { currentUser, defaultStateDir } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { type OpenedSource, openSource } from '../daemon/open-source.js';
import { Counters } from '../observe/counters.js';
import { commandLog } from './command-log.js';
import type { Terminal } from './terminal.js';

/** A source opened for the time of one command. */
export interface CommandSource extends OpenedSource {
  readonly blobs: Blobs;
  readonly counters: Counters;
  /** Another reader of its blobs, with a memory of its own. */
  readonly openBlobs: () => Blobs;
}

/**
 * Open a source, run `work` with it and close it, however that ends.
 * @param disk where blobs that are read are kept
 * @throws as {@link openSource}, and what `work` throws
 */
export async function withSource<T>(
  source: string | undefined,
  options: Options,
  terminal: Terminal,
  work: (opened: CommandSource) => Promise<T>,
  disk?: DiskCache,
): Promise<T> {
  const counters = new Counters();
  const log = await commandLog(options);
  const stateDir = resolve(
    options.stateDir ?? defaultStateDir(terminal.environment, currentUser()),
  );
  const opened = await openSource({ source, options, stateDir, log, counters });
  try {
    const openBlobs = () =>
      new Blobs({
        registry: opened.registry,
        memoryBytes: options.memory,
        refreshMs: options.refresh,
        deadlineMs: options.readTimeout,
        log,
        counters,
        ...(disk !== undefined && { disk }),
      });
    return await work({ ...opened, blobs: openBlobs(), counters, openBlobs });
  } finally {
    await opened.close();
  }
}
