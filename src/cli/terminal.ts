/**
 * Where a command's words go. Commands write only through this, so that tests can run them without
 * a process of their own.
 */
export interface Terminal {
  /** Results, for people and for scripts. */
  out(text: string): void;
  /** Errors, notes and progress. */
  err(text: string): void;
  /** Both of the above are shown to a person who watches. */
  readonly interactive: boolean;
  /** Results may be coloured. */
  readonly colours: boolean;
  /** Width of the screen; undefined where lines may be as long as they like. */
  readonly columns: number | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/** The terminal, or whatever stands in its place, that this process was started with. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  // A reader that has seen enough (`layoutfs ls … | head`) is no failure.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  return {
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    interactive: stderr.isTTY && stdout.isTTY,
    // https://no-color.org: any value that is not empty counts.
    colours: stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    columns: stdout.isTTY ? stdout.columns : undefined,
    environment: env,
  };
}
