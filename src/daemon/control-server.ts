import { chmod, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { MountStatus } from './status.js';

/** What may be asked of a running mount. */
export interface Controlled {
  status(): MountStatus;
  /** Compare everything that may have changed with the store at its next use. */
  refresh(): void;
}

export interface ControlServer {
  readonly path: string;
  /** Stop answering and remove the socket. */
  close(): Promise<void>;
}

/**
 * Answer `GET /status` and `POST /refresh` with JSON on a Unix socket that only its owner may use.
 * @throws Error when the socket cannot be made
 */
export async function serveControl(path: string, controlled: Controlled): Promise<ControlServer> {
  const server = createServer((request, response) => answer(controlled, request, response));
  server.requestTimeout = 5000;
  await unlink(path).catch(() => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        // close() removes the socket's file.
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(controlled: Controlled, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  switch (`${request.method ?? ''} ${request.url ?? ''}`) {
    case 'GET /status':
      send(response, 200, controlled.status());
      break;
    case 'POST /refresh':
      controlled.refresh();
      send(response, 200, {});
      break;
    default:
      send(response, 404, { message: 'Ask for GET /status or POST /refresh.' });
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(body)}\n`);
}
