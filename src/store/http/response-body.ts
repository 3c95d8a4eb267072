import { Readable } from 'node:stream';
import { BodyTooLongError } from './errors.js';

/** What a body asks of the connection it comes over. */
export interface BodySource {
  /** Bytes are wanted (again). */
  resume(): void;
  /** Nobody will read the rest: the connection ends with it. */
  abandon(): void;
}

/** What is kept of a body that nobody reads yet; small ones free their connection at once. */
const KEPT = 64 * 1024;
/** What a stream reads ahead of its reader. */
const STREAMED = 512 * 1024;
/** Largest piece of a stream. */
const CHUNK = 256 * 1024;

/** Where {@link ResponseBody.readInto} puts bytes. */
interface Target {
  readonly memory: Uint8Array;
  filled: number;
  readonly arrived: ((bytes: number) => void) | undefined;
  readonly resolve: (bytes: number) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The body of a response: a Node stream like any other or, without a stream's cost per chunk,
 * {@link readInto}. The connection hands bytes over with `give`, or puts them into `memory()` itself.
 */
export class ResponseBody extends Readable {
  readonly #source: BodySource;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isStreaming = false;
  /** Memory for the next piece of a stream. */
  #chunk: Buffer | undefined;
  #target: Target | undefined;
  /** Every byte came from the connection. */
  #isComplete = false;
  #failure: Error | undefined;

  constructor(source: BodySource) {
    super({ highWaterMark: STREAMED });
    this.#source = source;
    // A body that fails while nobody listens is no reason to end the process.
    this.on('error', () => undefined);
  }

  /**
   * Put the whole body into `memory` as it arrives; instead of reading the stream, and once.
   * @param arrived called with the number of bytes in `memory` whenever there are more
   * @returns the number of bytes in the body
   * @throws BodyTooLongError when the body is longer than `memory`, else what ended the connection
   */
  readInto(memory: Uint8Array, arrived?: (bytes: number) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#isStreaming || this.#target !== undefined || this.destroyed) {
        reject(new Error('This body was read or destroyed before.'));
        return;
      }
      this.#target = { memory, filled: 0, arrived, resolve, reject };
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const part of waiting) if (!this.give(part)) return;
      if (this.#failure !== undefined) this.fail(this.#failure);
      else if (this.#isComplete) this.complete();
      else this.#source.resume();
    });
  }

  /**
   * For the connection: bytes of the body came, which are copied.
   * @returns whether more are wanted now
   */
  give(part: Uint8Array): boolean {
    if (this.destroyed) return false;
    const target = this.#target;
    if (target === undefined) {
      const copy = Buffer.from(part);
      if (this.#isStreaming) return this.push(copy);
      this.#waiting.push(copy);
      this.#waitingBytes += copy.length;
      return this.#waitingBytes < KEPT;
    }
    if (part.length > target.memory.length - target.filled) {
      this.destroy(new BodyTooLongError('The body is longer than the memory for it.'));
      return false;
    }
    target.memory.set(part, target.filled);
    return this.gave(part.length);
  }

  /** For the connection: where the next bytes may be put; undefined when they must be handed to `give`. */
  memory(): Uint8Array | undefined {
    if (this.destroyed) return undefined;
    if (this.#isStreaming) return (this.#chunk ??= Buffer.allocUnsafeSlow(CHUNK));
    const target = this.#target;
    if (target === undefined || target.filled === target.memory.length) return undefined;
    return target.memory.subarray(target.filled);
  }

  /** For the connection: it put `count` bytes into `memory()`. Returns whether more are wanted now. */
  gave(count: number): boolean {
    if (this.destroyed) return false;
    const target = this.#target;
    if (target === undefined) return this.push(this.#takeChunk(count));
    target.filled += count;
    try {
      target.arrived?.(target.filled);
    } catch (error) {
      this.destroy(error as Error);
    }
    return !this.destroyed;
  }

  /** The first `count` bytes of the chunk; a small part of it does not keep the whole in memory. */
  #takeChunk(count: number): Buffer {
    const part = this.#chunk?.subarray(0, count) ?? Buffer.alloc(0);
    if (count < CHUNK / 2) return Buffer.from(part);
    this.#chunk = undefined;
    return part;
  }

  /** For the connection: the body is whole. */
  complete(): void {
    this.#isComplete = true;
    if (this.#target !== undefined) {
      this.#target.resolve(this.#target.filled);
    } else if (this.#isStreaming) {
      this.push(null);
    }
  }

  /** For the connection: it ended before the body did. */
  fail(error: Error): void {
    this.#failure ??= error;
    if (this.#target !== undefined || this.#isStreaming) this.destroy(error);
  }

  override _read(): void {
    if (!this.#isStreaming) {
      this.#isStreaming = true;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const part of waiting) this.push(part);
      if (this.#isComplete) this.push(null);
      else if (this.#failure !== undefined) this.destroy(this.#failure);
    }
    if (!this.#isComplete && !this.destroyed) this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#waiting = [];
    if (!this.#isComplete) this.#source.abandon();
    // Nothing, where it was resolved.
    this.#target?.reject(error ?? new Error('The body was destroyed before it was read.'));
    callback(error);
  }
}
