import { resolve } from 'node:path';
import { Blobs } from '../blobs/blobs.js';
import { currentUser, defaultStateDir } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { type OpenedSource, openSource } from '../daemon/open-source.js';
import { Counters } from '../observe/counters.js';
import { type Log, silentLog } from '../observe/log.js';
import type { Terminal } from './terminal.js';

/** A source opened for the time of one command. */
export interface CommandSource extends OpenedSource {
  readonly blobs: Blobs;
  readonly counters: Counters;
}

/**
 * Open a source, run `work` with it and close it, however that ends.
 * @throws as {@link openSource}, and what `work` throws
 */
export async function withSource<T>(
  source: string | undefined,
  options: Options,
  terminal: Terminal,
  work: (opened: CommandSource) => Promise<T>,
): Promise<T> {
  const counters = new Counters();
  const log = await commandLog(options);
  const stateDir = resolve(
    options.stateDir ?? defaultStateDir(terminal.environment, currentUser()),
  );
  const opened = await openSource({ source, options, stateDir, log, counters });
  try {
    const blobs = new Blobs({
      registry: opened.registry,
      memoryBytes: options.memory,
      refreshMs: options.refresh,
      deadlineMs: options.readTimeout,
      log,
      counters,
    });
    return await work({ ...opened, blobs, counters });
  } finally {
    await opened.close();
  }
}

/** Commands print their own results; their log is for `--log-level debug` alone. */
async function commandLog(options: Options): Promise<Log> {
  if (options.logLevel !== 'debug') return silentLog;
  const { openLogger } = await import('../daemon/logger.js');
  return (await openLogger({ destination: 'stderr', level: 'debug' })).log;
}
