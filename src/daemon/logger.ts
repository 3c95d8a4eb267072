import { once } from 'node:events';
import { dirname } from 'node:path';
import pino from 'pino';
import type { Log } from '../observe/log.js';
import { JournalStream } from './journal.js';
import { formatForJournal, formatForPerson } from './log-line.js';
import { makeDirectory } from './make-directory.js';

/** `stderr`, `journal`, or the absolute path of a file. */
export type LogDestination = 'stderr' | 'journal' | (string & {});

/** A running logger: the port that the floors below write to, and what its owner must do. */
export interface Logger {
  readonly log: Log;
  /** Open the file anew, after logrotate(8) has moved it away; nothing for other destinations. */
  reopen(): void;
  /** Write what is pending. */
  close(): Promise<void>;
}

export interface LoggerOptions {
  readonly destination: LogDestination;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
}

/**
 * Start logging. A file gets one JSON object per line; so does stderr, unless a person watches it;
 * the journal gets sentences with their level.
 * @throws Error saying why the destination cannot be written
 */
export async function openLogger({ destination, level }: LoggerOptions): Promise<Logger> {
  if (destination === 'stderr') return stderrLogger(level);
  if (destination === 'journal') return journalLogger(level);
  return fileLogger(destination, level);
}

const pinoOptions = (level: string): pino.LoggerOptions => ({
  level,
  base: null,
  // Read with grep and jq by people, who know neither pino's numbers nor milliseconds since 1970.
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
  serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
});

function stderrLogger(level: string): Logger {
  const forPerson = process.stderr.isTTY;
  const write = (json: string) =>
    void process.stderr.write(forPerson ? formatForPerson(json) : json);
  return {
    log: pino(pinoOptions(level), { write }),
    reopen: () => undefined,
    close: () => Promise.resolve(),
  };
}

async function journalLogger(level: string): Promise<Logger> {
  const journal = new JournalStream();
  try {
    await journal.open();
  } catch (error) {
    throw new Error(
      `The systemd journal does not answer (${(error as Error).message}): use --log with a file.`,
      { cause: error },
    );
  }
  return {
    log: pino(pinoOptions(level), { write: (json) => journal.write(formatForJournal(json)) }),
    reopen: () => undefined,
    close: () => journal.close(),
  };
}

async function fileLogger(path: string, level: string): Promise<Logger> {
  let file;
  try {
    await makeDirectory(dirname(path), 0o700);
    // Written at once: what was logged just before a crash is what its reader needs.
    file = pino.destination({ dest: path, append: true, sync: true, mode: 0o600 });
    await once(file, 'ready');
  } catch (error) {
    throw new Error(
      `The log file ${path} cannot be written (${(error as Error).message}): name another with --log.`,
      { cause: error },
    );
  }
  // A full disk must not end a mount that can still be read.
  file.on('error', () => undefined);
  return {
    log: pino(pinoOptions(level), file),
    reopen: () => file.reopen(),
    close: () => {
      file.flushSync();
      file.end();
      return Promise.resolve();
    },
  };
}
