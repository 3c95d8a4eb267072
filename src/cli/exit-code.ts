import { printable, printableLine } from './printable.js';

/** What a command answers to the shell. */
export const EXIT = {
  done: 0,
  /** It failed, or found damage. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Errors that mean the user must write something else. Told by name, so that the modules that
 * define them need not be loaded for `--help`.
 */
const USAGE_ERRORS = new Set([
  'UsageError',
  'SourceError',
  'SourceRefusedError',
  'AmbiguousRootError',
  'RootNotFoundError',
  'NotARegistryError',
  'ZotConfigError',
  'CacheDirectoryError',
]);

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  const usage = error instanceof Error && USAGE_ERRORS.has(error.name);
  return usage ? EXIT.usage : EXIT.failed;
}

/**
 * What the user reads about an error: one line that begins with our name; with `detail` also where
 * in the program it arose, and why.
 */
export function describeError(error: unknown, { detail = false } = {}): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = `layoutfs: ${printableLine(message.replace(/\s*\n\s*/g, ' '))}\n`;
  if (!detail || !(error instanceof Error)) return line;
  const causes: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    causes.push(cause.stack ?? cause.message);
  }
  return `${line}${printable(causes.join('\ncaused by: '))}\n`;
}
