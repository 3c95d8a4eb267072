import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A door in front of a server: shut, it refuses connections and breaks those there are, as when the
 * server is killed; open again, it is at the same address. Bytes pass through unchanged.
 */
export class Gate {
  readonly #upstream: URL;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #port = 0;

  private constructor(upstream: URL) {
    this.#upstream = upstream;
    this.#server = createServer((client) => {
      const server = connect(Number(upstream.port), upstream.hostname);
      for (const [socket, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  /** @param upstream address of the server behind it, as `http://127.0.0.1:PORT` */
  static async start(upstream: string): Promise<Gate> {
    const gate = new Gate(new URL(upstream));
    await gate.open();
    return gate;
  }

  /** Address for clients. */
  get endpoint(): string {
    return `${this.#upstream.protocol}//127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  async shut(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }
}
