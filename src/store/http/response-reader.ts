import { ChunkedDecoder } from './chunked.js';
import { HttpProtocolError } from './errors.js';
import { framingOf, type Framing } from './framing.js';
import { MAX_HEAD, parseHead, type ResponseHead } from './response-head.js';

/** What a {@link ResponseReader} finds. */
export interface ResponseEvents {
  /** The final head; interim ones (1xx) are passed over. */
  head(head: ResponseHead, framing: Framing): void;
  /** More of the body; valid during the call only. */
  body(part: Uint8Array): void;
}

const PROTOCOL = 'HTTP/1.';
const HEAD_END = '\r\n\r\n';

/**
 * Reads one response out of received bytes, however they are split. It holds no body bytes, and at
 * most {@link MAX_HEAD} bytes of heads.
 */
export class ResponseReader {
  readonly #method: string;
  readonly #events: ResponseEvents;
  #started = false;
  #ended = false;
  #framing: Framing | undefined;
  #chunks: ChunkedDecoder | undefined;
  /** Body bytes still to come, where the length is known. */
  #left = 0;
  /** An unfinished head. */
  #partial: Buffer | undefined;
  #partialLength = 0;
  #headBytes = 0;

  /** @param method of the request: the answer to a HEAD has no body */
  constructor(method: string, events: ResponseEvents) {
    this.#method = method;
    this.#events = events;
  }

  /** At least one byte came. */
  get started(): boolean {
    return this.#started;
  }

  /** The response was read to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next so many bytes are the body's, with no framing between them. 0: ask `read`. */
  get plainBytesLeft(): number {
    return this.#framing?.kind === 'length' ? this.#left : 0;
  }

  /** `count` bytes, of {@link plainBytesLeft}, came and were taken care of elsewhere. */
  tookPlain(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.#ended = true;
  }

  /**
   * Take received bytes; answers how many of them belong to this response.
   * @throws HttpProtocolError
   */
  read(bytes: Uint8Array): number {
    this.#started = true;
    let at = 0;
    while (at < bytes.length && !this.#ended) {
      at += this.#framing === undefined ? this.#readHead(bytes, at) : this.#readBody(bytes, at);
    }
    return at;
  }

  /**
   * The other side has ended the connection.
   * @returns whether the response ends with that, or ended before
   */
  finish(): boolean {
    if (this.#framing?.kind === 'close') this.#ended = true;
    return this.#ended;
  }

  #readBody(bytes: Uint8Array, from: number): number {
    const rest = from === 0 ? bytes : bytes.subarray(from);
    if (this.#chunks !== undefined) {
      const taken = this.#chunks.decode(rest, this.#events.body.bind(this.#events));
      this.#ended = this.#chunks.isDone;
      return taken;
    }
    if (this.#framing?.kind === 'close') {
      this.#events.body(rest);
      return rest.length;
    }
    const part = rest.subarray(0, this.#left);
    this.tookPlain(part.length);
    this.#events.body(part);
    return part.length;
  }

  /** Take bytes of a head; it may end in the middle of `bytes`, and may have begun before them. */
  #readHead(bytes: Uint8Array, from: number): number {
    const rest = Buffer.from(bytes.buffer, bytes.byteOffset + from, bytes.length - from);
    const before = this.#partialLength;
    const room = MAX_HEAD - this.#headBytes;
    if (before === 0) {
      const end = rest.subarray(0, room).indexOf(HEAD_END, 0, 'latin1');
      if (end >= 0) {
        this.#headBytes += end + 4;
        this.#takeHead(rest.toString('latin1', 0, end));
        return end + 4;
      }
    }
    this.#partial ??= Buffer.allocUnsafe(MAX_HEAD);
    const copied = rest.copy(this.#partial, before, 0, room - before);
    const head = this.#partial.subarray(0, before + copied);
    refuseOtherProtocols(head);
    const end = head.indexOf(HEAD_END, Math.max(0, before - 3), 'latin1');
    if (end >= 0) {
      this.#partialLength = 0;
      this.#headBytes += end + 4;
      this.#takeHead(head.toString('latin1', 0, end));
      return end + 4 - before;
    }
    if (head.length >= room) {
      throw new HttpProtocolError(`the answer has more than ${MAX_HEAD} bytes of headers`);
    }
    this.#partialLength = head.length;
    return copied;
  }

  #takeHead(text: string): void {
    const head = parseHead(text);
    if (head.status === 101) {
      throw new HttpProtocolError('the server wants to speak another protocol (101)');
    }
    if (head.status < 200) return;
    this.#partial = undefined;
    const framing = framingOf(head, this.#method);
    this.#framing = framing;
    if (framing.kind === 'chunked') this.#chunks = new ChunkedDecoder();
    if (framing.kind === 'length') this.#left = framing.length;
    this.#ended = framing.kind === 'length' && framing.length === 0;
    this.#events.head(head, framing);
  }
}

/** A server of another protocol may greet and then wait for ever. */
function refuseOtherProtocols(head: Buffer): void {
  const begin = head.toString('latin1', 0, PROTOCOL.length);
  if (PROTOCOL.startsWith(begin)) return;
  throw new HttpProtocolError(
    begin.startsWith('\x15\x03')
      ? 'it is TLS: write https:// in "endpoint"'
      : `the answer begins with ${JSON.stringify(begin)}, which is no HTTP/1.1`,
  );
}
