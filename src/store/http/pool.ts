import { Connection, type ConnectionOptions, type HttpResponse } from './connection.js';
import type { TlsSessions } from './dial.js';
import { abortError } from './errors.js';
import { isIdempotent, originOf, type HttpRequest } from './request.js';

export type { HttpResponse } from './connection.js';

export interface PoolOptions extends ConnectionOptions {
  /** Unused connections are closed to stay within so many; those in use are as many as are asked for. */
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
  #opening = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Send a request; resolves with the head of the answer. Its body must be read or destroyed.
   * @throws Error as {@link Connection.send} and {@link Connection.open} do
   */
  async send(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
    for (const wanted of [signal, this.#closing.signal]) {
      if (wanted?.aborted === true) throw abortError(wanted.reason);
    }
    const used = this.#takeIdle(originOf(request));
    if (used !== undefined) {
      try {
        return await used.send(request, signal);
      } catch (error) {
        if (!used.isStale || !isIdempotent(request)) throw error;
      }
    }
    const connection = await this.#open(request, signal);
    return connection.send(request, signal);
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

  async #open(request: HttpRequest, signal: AbortSignal | undefined): Promise<Connection> {
    this.#makeRoom();
    this.#opening++;
    try {
      const closing = this.#closing.signal;
      const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
      const events = {
        idle: (idle: Connection) => {
          this.#idle.push(idle);
        },
        closed: (closed: Connection) => {
          const index = this.#idle.indexOf(closed);
          if (index >= 0) this.#idle.splice(index, 1);
          this.#all.delete(closed);
        },
      };
      const connection = await Connection.open(
        request,
        this.#options,
        events,
        this.#sessions,
        either,
      );
      this.#all.add(connection);
      return connection;
    } finally {
      this.#opening--;
    }
  }

  #makeRoom(): void {
    while (this.#all.size + this.#opening >= this.#options.connections) {
      const oldest = this.#idle[0];
      if (oldest === undefined) return;
      oldest.close();
    }
  }
}
