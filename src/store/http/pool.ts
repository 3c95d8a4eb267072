import { Connection, type ConnectionOptions, type HttpResponse } from './connection.js';
import type { TlsSessions } from './dial.js';
import { abortError } from './errors.js';
import { isIdempotent, originOf, type HttpRequest } from './request.js';

export type { HttpResponse } from './connection.js';

export interface PoolOptions extends ConnectionOptions {
  /** At most so many; unused ones are closed to make room, and what finds none waits. */
  readonly connections: number;
}

/**
 * Connections that are used again, the last used first. A request whose connection turns out to
 * have been closed meanwhile is sent once more, over a new one.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #all = new Set<Connection>();
  /** In the order in which they became idle. */
  readonly #idle: Connection[] = [];
  readonly #sessions: TlsSessions = new Map();
  readonly #closing = new AbortController();
  /** Requests that found no room, in the order they came. */
  readonly #waiting: (() => void)[] = [];
  #opening = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Send a request; resolves with the head of the answer. Its body must be read or destroyed.
   * @throws Error as {@link Connection.send} and {@link Connection.open} do
   */
  async send(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    const origin = originOf(request);
    for (;;) {
      for (const wanted of [signal, this.#closing.signal]) {
        if (wanted?.aborted === true) throw abortError(wanted.reason);
      }
      const used = this.#takeIdle(origin);
      if (used !== undefined) {
        try {
          return await used.send(request, signal);
        } catch (error) {
          if (!used.isStale || !isIdempotent(request)) throw error;
        }
        // Others that were idle as long may be closed as well.
        this.#closeIdle(origin);
      }
      if (this.#makeRoom()) {
        const connection = await this.#open(request, signal);
        return connection.send(request, signal);
      }
      await this.#room(signal);
    }
  }

  /** Close every connection; what is under way on them fails. */
  destroy(): void {
    this.#closing.abort();
    for (const connection of this.#all) connection.close();
  }

  #takeIdle(origin: string): Connection | undefined {
    const index = this.#idle.findLastIndex((idle) => idle.origin === origin);
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0];
  }

  #closeIdle(origin: string): void {
    for (;;) {
      const connection = this.#takeIdle(origin);
      if (connection === undefined) return;
      connection.close();
    }
  }

  async #open(request: HttpRequest, signal: AbortSignal | undefined): Promise<Connection> {
    this.#opening++;
    try {
      const closing = this.#closing.signal;
      const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
      const events = { idle: this.#onIdle, closed: this.#onClosed };
      const options = this.#options;
      const connection = await Connection.open(request, options, events, this.#sessions, either);
      this.#all.add(connection);
      return connection;
    } catch (error) {
      this.#waiting.shift()?.();
      throw error;
    } finally {
      this.#opening--;
    }
  }

  readonly #onIdle = (connection: Connection): void => {
    this.#idle.push(connection);
    this.#waiting.shift()?.();
  };

  readonly #onClosed = (connection: Connection): void => {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#all.delete(connection);
    this.#waiting.shift()?.();
  };

  /** Whether one more connection may be opened; the one that was unused for longest gives way. */
  #makeRoom(): boolean {
    while (this.#all.size + this.#opening >= this.#options.connections) {
      const oldest = this.#idle[0];
      if (oldest === undefined) return false;
      oldest.close();
    }
    return true;
  }

  /** Wait until a connection is unused or closed. */
  #room(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        const index = this.#waiting.indexOf(wake);
        if (index >= 0) this.#waiting.splice(index, 1);
        resolve();
      };
      this.#waiting.push(wake);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
