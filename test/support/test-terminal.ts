import type { Terminal } from '../../src/cli/terminal.js';

/** A terminal that keeps what is written to it, for tests. */
export interface TestTerminal extends Terminal {
  readonly written: { out: string; err: string };
}

/** Nobody watches it, and its environment is what a test gives. */
export function testTerminal(environment: NodeJS.ProcessEnv = {}): TestTerminal {
  const written = { out: '', err: '' };
  return {
    written,
    out: (text) => (written.out += text),
    err: (text) => (written.err += text),
    interactive: false,
    colours: false,
    columns: undefined,
    environment,
  };
}
