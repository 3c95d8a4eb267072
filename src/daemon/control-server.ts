import { chmod, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as z from 'zod/mini';
import type { RefreshAnswer } from './refresh.js';
import type { MountStatus } from './status.js';

/** Longest body of a request, in bytes: the names of many repositories. */
const MAX_BODY = 4 * 1024 * 1024;

/** Body of `POST /refresh`; none means everything. */
const RefreshBody = z.object({ repositories: z.array(z.string()).check(z.minLength(1)) });

/** What may be asked of a running mount. */
export interface Controlled {
  status(): MountStatus;
  /** Compare these repositories with the store, or everything at its next use. */
  refresh(repositories?: readonly string[]): Promise<RefreshAnswer>;
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
  const server = createServer((request, response) => {
    answer(controlled, request, response).catch((error: unknown) => {
      send(response, 500, { message: String(error) });
    });
  });
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

async function answer(
  controlled: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  switch (`${request.method ?? ''} ${request.url ?? ''}`) {
    case 'GET /status':
      request.resume();
      send(response, 200, controlled.status());
      break;
    case 'POST /refresh': {
      const body = await readBody(request);
      const repositories = body === '' ? undefined : parseRepositories(body);
      if (repositories === null) {
        send(response, 400, { message: 'The body must be {"repositories": ["a/repository", …]}.' });
      } else {
        send(response, 200, await controlled.refresh(repositories));
      }
      break;
    }
    default:
      request.resume();
      send(response, 404, { message: 'Ask for GET /status or POST /refresh.' });
  }
}

/** @throws Error for one that is too long */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.byteLength;
    if (length > MAX_BODY) throw new Error(`A request may have ${MAX_BODY} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Null for anything else than {@link RefreshBody}. */
function parseRepositories(body: string): readonly string[] | null {
  try {
    return RefreshBody.parse(JSON.parse(body)).repositories;
  } catch {
    return null;
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(body)}\n`);
}
