import * as net from 'node:net';
import * as tls from 'node:tls';
import { abortError, HttpConnectionError } from './errors.js';
import type { HttpRequest } from './request.js';

/** Where received bytes go: no buffer is made per read. */
export interface Receiver {
  /** Memory for the next read; asked for after each. */
  readonly buffer: () => Uint8Array;
  /** `count` bytes are in `buffer`. Answers whether to go on reading. */
  readonly received: (count: number, buffer: Uint8Array) => boolean;
}

export interface DialOptions {
  /** Longest wait for a connection, TLS included, in ms. */
  readonly connectMs: number;
  /** Certificates to trust instead of Node's own. */
  readonly ca?: readonly string[];
  /** Do not check certificates. */
  readonly skipVerify?: boolean;
}

/** TLS sessions by origin, so that further connections need no full handshake. */
export type TlsSessions = Map<string, Buffer>;

/** Detects a peer that went away without a word while nothing is asked. */
const KEEPALIVE_MS = 30_000;

/**
 * A connected socket; over TLS, one whose certificate was checked.
 * @throws Error as Node makes it, or HttpConnectionError when it takes too long
 */
export function dial(
  { isTls, hostname, port }: Pick<HttpRequest, 'isTls' | 'hostname' | 'port'>,
  { connectMs, ca, skipVerify = false }: DialOptions,
  receiver: Receiver,
  sessions: TlsSessions,
  signal: AbortSignal | undefined,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortError(signal.reason));
      return;
    }
    const tcp = {
      host: hostname,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
      onread: { buffer: receiver.buffer, callback: receiver.received },
    };
    const session = sessions.get(sessionKey(hostname, port));
    const socket = isTls
      ? tls.connect({
          ...tcp,
          // No ALPN: HTTP/1.1 is all that is spoken here.
          ...(net.isIP(hostname) === 0 && { servername: hostname }),
          ...(ca !== undefined && { ca: [...ca] }),
          ...(session !== undefined && { session }),
          rejectUnauthorized: !skipVerify,
        })
      : net.connect(tcp);

    const done = () => {
      clearTimeout(timer);
      socket.off('error', failed);
      signal?.removeEventListener('abort', aborted);
    };
    const failed = (error: Error) => {
      done();
      socket.on('error', () => undefined).destroy();
      sessions.delete(sessionKey(hostname, port));
      reject(error);
    };
    const aborted = () => {
      failed(abortError(signal?.reason));
    };
    const timer = setTimeout(() => {
      const message = `no connection to ${hostname}:${port} came about within ${connectMs} ms`;
      failed(new HttpConnectionError('TimeoutError', 'ETIMEDOUT', message, { hostname, port }));
    }, connectMs);
    socket.on('error', failed);
    signal?.addEventListener('abort', aborted, { once: true });
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      done();
      resolve(socket);
    });
    if (socket instanceof tls.TLSSocket) {
      socket.on('session', (ticket) => sessions.set(sessionKey(hostname, port), ticket));
    }
  });
}

function sessionKey(hostname: string, port: number): string {
  return `${hostname}|${port}`;
}
