import type { Terminal } from './terminal.js';

/** Often enough to be seen moving, in ms. */
const INTERVAL = 100;

/**
 * Several lines that tell a waiting person how far a command is, always the last ones on the screen;
 * nothing at all where nobody watches.
 */
export class ProgressLines {
  readonly #terminal: Terminal;
  #shownAt = -Infinity;
  #shown = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** @param lines asked for only when it is time to show them; no wider than the screen */
  show(lines: () => readonly string[]): void {
    const now = performance.now();
    if (!this.#terminal.interactive || now - this.#shownAt < INTERVAL) return;
    this.#shownAt = now;
    this.clear();
    const text = lines();
    this.#shown = text.length;
    this.#terminal.err(text.map((line) => `${line}\n`).join(''));
  }

  /** Take the lines away, before anything else is written. */
  clear(): void {
    // Cursor up, then "erase to the end of the screen" (ECMA-48 CUU and ED).
    if (this.#shown > 0) this.#terminal.err(`\u001B[${this.#shown}A\u001B[J`);
    this.#shown = 0;
  }
}
