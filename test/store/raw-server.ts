import * as net from 'node:net';
import { listen, type RunningServer } from './http-server.js';

/** A request as it came, without its body. */
export interface RawRequest {
  readonly head: string;
  readonly socket: net.Socket;
  /** Which connection it came over, and which request it is there; both count from 1. */
  readonly connection: number;
  readonly request: number;
}

export interface RawServer extends RunningServer {
  readonly requests: RawRequest[];
  /** Connections so far, and those that have ended since. */
  readonly opened: () => number;
  readonly closed: () => number;
}

/** A server that answers with whatever bytes a test writes; it looks for the ends of heads only. */
export async function serveRaw(
  answer: (request: RawRequest) => void,
  host = '127.0.0.1',
): Promise<RawServer> {
  const requests: RawRequest[] = [];
  let opened = 0;
  let closed = 0;
  const server = net.createServer((socket) => {
    const connection = ++opened;
    let count = 0;
    let text = '';
    socket.on('close', () => closed++);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = { head: text.slice(0, end), socket, connection, request: ++count };
        text = text.slice(end + 4);
        requests.push(request);
        answer(request);
      }
    });
  });
  const running = await listen(server, host);
  return { ...running, requests, opened: () => opened, closed: () => closed };
}

/** A whole response. */
export function response(body: string | Uint8Array, ...fields: string[]): Buffer {
  const bytes = Buffer.from(body);
  const lines = ['HTTP/1.1 200 OK', `Content-Length: ${bytes.length}`, ...fields, '', ''];
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), bytes]);
}
