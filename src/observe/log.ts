/**
 * The logger's port. Every floor may log; only the daemon and the command line know which logger
 * (pino) stands behind it.
 */

/** Structured fields first, then one full sentence for people. */
export type LogMethod = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Log {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
}

const nothing: LogMethod = () => undefined;

/** A log that keeps nothing, for tests and for commands that print their own output. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
