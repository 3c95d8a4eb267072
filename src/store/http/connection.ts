import type { Socket } from 'node:net';
import { IdleWatchdog } from '../idle-watchdog.js';
import { dial, type DialOptions, type Receiver, type TlsSessions } from './dial.js';
import { abortError, HttpConnectionError, HttpProtocolError, type Peer } from './errors.js';
import { persistenceOf, type Persistence } from './framing.js';
import { formatRequest, originOf, type HttpRequest } from './request.js';
import { ResponseBody } from './response-body.js';
import type { ResponseHead } from './response-head.js';
import { ResponseReader } from './response-reader.js';

/** A response whose head is here. */
export interface HttpResponse {
  readonly head: ResponseHead;
  readonly body: ResponseBody;
}

export interface ConnectionOptions extends DialOptions {
  /** Longest silence while an answer is waited for, in ms. */
  readonly silenceMs: number;
  /** How long a connection is kept without a request, in ms; the server may want it shorter. */
  readonly idleMs: number;
}

/** What the pool wants to know. */
export interface ConnectionEvents {
  /** An answer was received to its end; the connection may be used for another request. */
  idle(connection: Connection): void;
  closed(connection: Connection): void;
}

/** One request and its answer. */
interface Exchange {
  readonly reader: ResponseReader;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: Error) => void;
  body?: ResponseBody;
  persistence?: Persistence;
}

/**
 * Memory for bytes that have no place of their own: heads, and what comes before a body's reader is
 * there. One for all connections, because what is in it is used up before the next read.
 */
const SCRATCH = Buffer.allocUnsafeSlow(64 * 1024);

/** One connection to a server, one exchange at a time. */
export class Connection implements Receiver {
  /** To which server it leads. */
  readonly origin: string;
  readonly #peer: Peer;
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #silence: IdleWatchdog;
  #socket: Socket | undefined;
  #exchange: Exchange | undefined;
  #requests = 0;
  #isStale = false;
  /** The socket is being read. */
  #isFlowing = true;
  /** Somebody waits for the next bytes. */
  #isAwaited = false;

  private constructor(request: HttpRequest, options: ConnectionOptions, events: ConnectionEvents) {
    this.origin = originOf(request);
    this.#peer = request;
    this.#options = options;
    this.#events = events;
    this.#silence = new IdleWatchdog(options.silenceMs, () => {
      this.#fail(this.#error('TimeoutError', 'the server sends nothing'));
    });
  }

  /**
   * Connect to the server of `request`; nothing is sent yet.
   * @throws Error as {@link dial} does
   */
  static async open(
    request: HttpRequest,
    options: ConnectionOptions,
    events: ConnectionEvents,
    sessions: TlsSessions,
    signal?: AbortSignal,
  ): Promise<Connection> {
    const connection = new Connection(request, options, events);
    connection.#attach(await dial(request, options, connection, sessions, signal));
    return connection;
  }

  /** It had been used before, and was lost before a byte of the last answer came. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /**
   * Send `request`; resolves with the head of its answer.
   * @throws Error named AbortError or TimeoutError, or with a network error's `code`;
   *   HttpProtocolError; TypeError when the request cannot be written
   */
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const text = formatRequest(request);
      const socket = this.#socket;
      if (socket === undefined || this.#exchange !== undefined) {
        throw this.#error('HttpConnectionError', 'the connection is not free');
      }
      const reader = new ResponseReader(request.method, {
        head: (head, framing) => {
          this.#answer(head, persistenceOf(head, framing));
        },
        body: (part) => {
          if (this.#exchange?.body?.give(part) === false) this.#pause();
        },
      });
      const exchange: Exchange = { reader, signal, resolve, reject };
      this.#exchange = exchange;
      this.#requests++;
      signal?.addEventListener('abort', this.#abort);
      socket.ref();
      socket.setTimeout(0);
      if (request.body === undefined || request.body.length === 0) {
        socket.write(text, 'latin1');
        this.#await();
      } else {
        socket.cork();
        socket.write(text, 'latin1');
        socket.write(request.body, () => {
          // While it is sent, the server owes nothing.
          if (this.#exchange === exchange && exchange.body === undefined) this.#await();
        });
        socket.uncork();
      }
    });
  }

  /** End the connection, with whatever is under way on it. */
  close(): void {
    this.#fail(this.#error('HttpConnectionError', 'the connection was closed'));
  }

  /** For the socket: memory for the next read, the reader's own where it waits for plain bytes. */
  readonly buffer = (): Uint8Array => {
    const exchange = this.#exchange;
    const left = exchange?.reader.plainBytesLeft ?? 0;
    const memory = left === 0 ? undefined : exchange?.body?.memory();
    if (memory === undefined) return SCRATCH;
    return memory.length > left ? memory.subarray(0, left) : memory;
  };

  /** For the socket: `count` bytes are in `buffer`. Answers whether it should read on. */
  readonly received = (count: number, buffer: Uint8Array): boolean => {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nothing was asked: this would be taken for the answer to the next request.
      this.close();
      return false;
    }
    const { reader } = exchange;
    if (this.#isAwaited) this.#silence.wait();
    try {
      if (buffer === SCRATCH) {
        const used = reader.read(SCRATCH.subarray(0, count));
        if (used < count) exchange.persistence = { isReusable: false };
      } else {
        reader.tookPlain(count);
        if (exchange.body?.gave(count) === false) this.#pause();
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new HttpProtocolError(String(error)));
      return false;
    }
    if (reader.ended && this.#exchange === exchange) this.#finish(exchange);
    return this.#isFlowing;
  };

  #attach(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#fail(error);
    });
    socket.on('end', () => {
      const exchange = this.#exchange;
      if (exchange?.reader.finish() === true) this.#finish(exchange);
      else this.#fail(this.#error('HttpConnectionError', 'the connection ended'));
    });
    socket.on('close', () => {
      this.#fail(this.#error('HttpConnectionError', 'the connection was lost'));
    });
    socket.on('timeout', () => {
      if (this.#exchange === undefined) this.close();
    });
  }

  #answer(head: ResponseHead, persistence: Persistence): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#isAwaited = false;
    this.#silence.rest();
    const body = new ResponseBody({
      resume: () => {
        if (this.#exchange === exchange) this.#await();
      },
      abandon: () => {
        if (this.#exchange === exchange) this.close();
      },
    });
    exchange.body = body;
    exchange.persistence = persistence;
    exchange.resolve({ head, body });
  }

  /** Somebody waits for bytes. */
  #await(): void {
    this.#isAwaited = true;
    this.#silence.wait();
    this.#flow();
  }

  #flow(): void {
    if (this.#isFlowing) return;
    this.#isFlowing = true;
    this.#socket?.resume();
  }

  /** The reader of the body is not ready for more. */
  #pause(): void {
    this.#isFlowing = false;
    this.#isAwaited = false;
    this.#silence.rest();
  }

  /** The answer is whole. */
  #finish(exchange: Exchange): void {
    this.#release(exchange);
    const { persistence } = exchange;
    const socket = this.#socket;
    // A server that answers before it has the whole request will not look for another one after it.
    if (persistence?.isReusable === true && socket?.writableLength === 0) {
      // An idle connection is read to learn of its end.
      this.#flow();
      socket.unref();
      socket.setTimeout(Math.min(this.#options.idleMs, persistence.idleMs ?? Infinity));
      this.#events.idle(this);
    } else {
      this.close();
    }
    exchange.body?.complete();
  }

  #fail(error: Error): void {
    const exchange = this.#exchange;
    const socket = this.#socket;
    if (exchange !== undefined) this.#release(exchange);
    this.#silence.stop();
    if (socket !== undefined) {
      this.#socket = undefined;
      socket.destroy();
      this.#events.closed(this);
    }
    if (exchange === undefined) return;
    if (exchange.body !== undefined) {
      exchange.body.fail(error);
      return;
    }
    const isLost = error.name !== 'AbortError' && error.name !== 'TimeoutError';
    this.#isStale = isLost && this.#requests > 1 && !exchange.reader.started;
    exchange.reject(error);
  }

  #release(exchange: Exchange): void {
    this.#exchange = undefined;
    this.#isAwaited = false;
    this.#silence.stop();
    exchange.signal?.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => {
    this.#fail(abortError(this.#exchange?.signal?.reason));
  };

  #error(name: 'TimeoutError' | 'HttpConnectionError', message: string): HttpConnectionError {
    const code = name === 'TimeoutError' ? undefined : 'ECONNRESET';
    return new HttpConnectionError(name, code, message, this.#peer);
  }
}
