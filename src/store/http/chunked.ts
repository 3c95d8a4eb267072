import { HttpProtocolError } from './errors.js';
import { MAX_HEAD, readFields } from './response-head.js';

/** Longest line with a chunk's size, extensions included. */
const MAX_SIZE_LINE = 1024;
/** Hexadecimal digits up to 2^52, and an extension without control characters, which is ignored. */
const SIZE_LINE = /^([0-9A-Fa-f]{1,13})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** Takes the chunks of a body apart (RFC 9112, 7.1); trailers are checked and dropped. */
export class ChunkedDecoder {
  #state: 'size' | 'data' | 'data end' | 'trailers' | 'done' = 'size';
  /** Of the current chunk. */
  #left = 0;
  #line = '';
  #trailerBytes = 0;

  /** The last chunk and the trailers were read. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /**
   * Take received bytes, give what they carry to `data`, and answer how many of them belong to the
   * body: fewer than there are only when it is done.
   * @throws HttpProtocolError
   */
  decode(bytes: Uint8Array, data: (part: Uint8Array) => void): number {
    let at = 0;
    while (at < bytes.length && !this.isDone) {
      if (this.#state === 'data') {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) this.#state = 'data end';
        data(part);
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    return at;
  }

  /** Collect a line; when it is whole, act on it. */
  #readLine(bytes: Uint8Array, from: number): number {
    const feed = bytes.indexOf(10, from);
    const to = feed < 0 ? bytes.length : feed + 1;
    this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
    const limit = this.#state === 'trailers' ? MAX_HEAD - this.#trailerBytes : MAX_SIZE_LINE;
    if (this.#line.length > limit) {
      throw new HttpProtocolError('a chunk of the answer has too long a line before or after it');
    }
    if (feed < 0) return to;
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) throw new HttpProtocolError('a chunk of the answer is malformed');
    this.#act(line.slice(0, -2));
    return to;
  }

  #act(line: string): void {
    if (this.#state === 'size') {
      const digits = SIZE_LINE.exec(line)?.[1];
      if (digits === undefined) {
        throw new HttpProtocolError('a chunk of the answer has no readable length');
      }
      this.#left = parseInt(digits, 16);
      this.#state = this.#left === 0 ? 'trailers' : 'data';
    } else if (this.#state === 'data end') {
      if (line !== '') throw new HttpProtocolError('a chunk of the answer is longer than it says');
      this.#state = 'size';
    } else if (line === '') {
      this.#state = 'done';
    } else {
      this.#trailerBytes += line.length + 2;
      readFields([line]);
    }
  }
}
