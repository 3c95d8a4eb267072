import type { Terminal } from './terminal.js';

/** Often enough to be seen moving, in ms. */
const INTERVAL = 100;

/** A line that tells a waiting person how far a command is; nothing at all where nobody watches. */
export class Progress {
  readonly #terminal: Terminal;
  #shownAt = -Infinity;
  #shown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(text: string): void {
    const now = performance.now();
    if (!this.#terminal.interactive || now - this.#shownAt < INTERVAL) return;
    this.#shownAt = now;
    this.#shown = true;
    // Carriage return and "erase to the end of the line" (ECMA-48 EL).
    this.#terminal.err(`\r${text}\u001B[K`);
  }

  /** Take the line away, before anything else is written. */
  clear(): void {
    if (this.#shown) this.#terminal.err('\r\u001B[K');
    this.#shown = false;
  }
}
