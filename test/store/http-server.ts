import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';

/** A server on loopback for the answers that no well-behaved S3 server gives. */
export interface RunningServer {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

export async function listen(server: Server, host = '127.0.0.1'): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function serveHttp(listener: http.RequestListener): Promise<RunningServer> {
  return listen(http.createServer(listener));
}

/** An https server with a new self-signed certificate for 127.0.0.1 in `dir`/cert.pem. */
export async function serveHttps(dir: string, listener: http.RequestListener) {
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
      ...['-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  );
  const options = { key: await readFile(key), cert: await readFile(cert) };
  return { ...(await listen(https.createServer(options, listener))), cert };
}
