/** Bytes of a buffer: as many as the kernel asks for at a time. */
const SIZE = 1024 * 1024;

/** Buffers that are kept for the next time. */
const KEPT = 4;

/**
 * Memory for answers whose bytes lie in several places and have to be copied together, used again and
 * again: new memory for each would cost the system fresh pages, and V8, which counts such memory,
 * a search for garbage after every few dozen.
 */
export class CopyBuffers {
  readonly #free: Buffer[] = [];
  #answered: Buffer[] = [];

  /** Memory of `length` bytes with anything in it, to be given back. */
  take(length: number): Buffer {
    if (length > SIZE) return Buffer.allocUnsafeSlow(length);
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
    return buffer.subarray(0, length);
  }

  /** It is not used any more. */
  giveBack(taken: Buffer): void {
    if (taken.buffer.byteLength !== SIZE || this.#free.length >= KEPT) return;
    this.#free.push(Buffer.from(taken.buffer));
  }

  /** Give it back in the event loop's next turn: when an answer is written. */
  giveBackAnswered(taken: Buffer): void {
    if (this.#answered.push(taken) > 1) return;
    setImmediate(() => {
      const answered = this.#answered;
      this.#answered = [];
      for (const buffer of answered) this.giveBack(buffer);
    });
  }
}
