import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ConnectionPool, type PoolOptions } from '../../src/store/http/pool.js';
import type { HttpRequest } from '../../src/store/http/request.js';
import type { ResponseBody } from '../../src/store/http/response-body.js';
import { pattern } from './conformance/context.js';
import { listen, serveHttps } from './http-server.js';
import { response, serveRaw, type RawRequest } from './raw-server.js';

/** Our own HTTP client against servers that write whatever bytes a test wants. */
const OPTIONS: PoolOptions = { connections: 8, connectMs: 2000, silenceMs: 5000, idleMs: 5000 };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function openPool(options: Partial<PoolOptions> = {}): ConnectionPool {
  const pool = new ConnectionPool({ ...OPTIONS, ...options });
  cleanups.push(() => pool.destroy());
  return pool;
}

async function serve(answer: (request: RawRequest) => void, host?: string) {
  const server = await serveRaw(answer, host);
  cleanups.push(server.stop);
  return server;
}

const requestTo = (port: number, change: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  isTls: false,
  hostname: '127.0.0.1',
  port,
  target: '/bucket/key',
  headers: {},
  ...change,
});

async function textOf(body: ResponseBody): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

const get = async (pool: ConnectionPool, port: number, change?: Partial<HttpRequest>) =>
  textOf((await pool.send(requestTo(port, change))).body);

const write = (text: string | Uint8Array) => (request: RawRequest) => {
  request.socket.write(text);
};

describe('a connection is used again', () => {
  it('after every answer that ends before the connection does', async () => {
    const answers = [
      response('abc'),
      'HTTP/1.1 204 No Content\r\n\r\n',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
      'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\ny',
      response('', 'Keep-Alive: timeout=60, max=5'),
    ];
    const server = await serve(({ socket, request }) => socket.write(answers[request - 1] ?? ''));
    const pool = openPool();
    const texts: string[] = [];
    while (texts.length < answers.length) texts.push(await get(pool, server.port));
    expect(texts).toEqual(['abc', '', '', 'x', 'y', '']);
    expect(server.opened()).toBe(1);
  });

  it('after a HEAD, whose answer names a length and has no body', async () => {
    const server = await serve(write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'));
    const pool = openPool();
    expect(await get(pool, server.port, { method: 'HEAD' })).toBe('');
    expect(await get(pool, server.port, { method: 'HEAD' })).toBe('');
    expect(server.opened()).toBe(1);
  });

  it('while a small body waits to be read', async () => {
    const server = await serve(({ socket, request }) => socket.write(response(`body ${request}`)));
    const pool = openPool();
    const first = await pool.send(requestTo(server.port));
    await expect.poll(() => get(pool, server.port)).toMatch(/^body/);
    const second = await pool.send(requestTo(server.port));
    expect(await textOf(first.body)).toBe('body 1');
    expect(await textOf(second.body)).toMatch(/^body/);
    expect(server.opened()).toBeLessThanOrEqual(2);
  });

  it.each([
    [
      'Connection: close',
      'HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 1\r\n\r\nx',
    ],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx'],
    ['max=0', response('x', 'Keep-Alive: timeout=9, max=0')],
    ['a timeout that is as good as over', response('x', 'Keep-Alive: timeout=1')],
    ['more bytes than the answer has', Buffer.concat([response('x'), Buffer.from('HTTP/1.1 200')])],
  ])('but not after %s', async (_, answer) => {
    const server = await serve(write(answer));
    const pool = openPool();
    expect([await get(pool, server.port), await get(pool, server.port)]).toEqual(['x', 'x']);
    expect(server.opened()).toBe(2);
    await expect.poll(server.closed).toBe(2);
  });

  it('but not once the server sends what nobody asked for, or said that it closes', async () => {
    const server = await serve(({ socket, connection }) => {
      socket.write(response('x', ...(connection === 2 ? ['Keep-Alive: timeout=2'] : [])));
      if (connection === 1) setTimeout(() => socket.write(response('forged')), 20);
    });
    const pool = openPool();
    for (const closed of [1, 2]) {
      expect(await get(pool, server.port)).toBe('x');
      await expect.poll(server.closed, { timeout: 3000 }).toBe(closed);
    }
    expect(await get(pool, server.port)).toBe('x');
  });

  it('and never for two requests at once', async () => {
    const busy = new Set<net.Socket>();
    const server = await serve(({ socket }) => {
      expect(busy.has(socket)).toBe(false);
      busy.add(socket);
      setTimeout(() => {
        busy.delete(socket);
        socket.write(response('x'));
      }, 5);
    });
    const pool = openPool();
    const texts = await Promise.all(
      Array.from({ length: 8 }, async () => [
        await get(pool, server.port),
        await get(pool, server.port),
      ]),
    );
    expect(texts.flat()).toEqual(Array(16).fill('x'));
    expect(server.opened()).toBeLessThanOrEqual(8);
  });

  it('by requests that waited, because there may be no more connections', async () => {
    const server = await serve(({ socket, connection, request }) => {
      setTimeout(() => socket.write(response(`${connection}.${request}`)), 5);
    });
    const pool = openPool({ connections: 2 });
    const waiting = new AbortController();
    const texts = Array.from({ length: 6 }, () => get(pool, server.port));
    const aborted = pool.send(requestTo(server.port), waiting.signal);
    waiting.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect((await Promise.all(texts)).sort()).toEqual(['1.1', '1.2', '1.3', '2.1', '2.2', '2.3']);
    // One that fails makes room as well.
    const failing = Array.from({ length: 5 }, () => pool.send(requestTo(1)));
    for (const failed of failing)
      await expect(failed).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await get(pool, server.port)).toMatch(/^\d/);
  });

  it('or closed, when there would be more than are allowed', async () => {
    const servers = [await serve(write(response('a'))), await serve(write(response('b')))];
    const pool = openPool({ connections: 1 });
    for (const { port } of [...servers, ...servers]) await get(pool, port);
    expect(servers.map(({ opened }) => opened())).toEqual([2, 2]);
  });
});

describe('a connection that the server closed meanwhile', () => {
  it('is replaced, and the request sent once more', async () => {
    const server = await serve(({ socket, connection, request }) => {
      if (connection === 1 && request === 2) socket.destroy();
      else socket.write(response(`${connection}.${request}`));
    });
    const pool = openPool();
    expect([await get(pool, server.port), await get(pool, server.port)]).toEqual(['1.1', '2.1']);
  });

  it('is replaced only once', async () => {
    const server = await serve(({ socket, connection, request }) => {
      if (connection === 1 && request === 1) socket.write(response('x'));
      else socket.destroy();
    });
    const pool = openPool();
    await get(pool, server.port);
    await expect(get(pool, server.port)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(server.requests).toHaveLength(3);
  });

  it.each([
    ['something of the answer came', {}, 'HTTP/1.1'],
    ['the request may not be repeated', { method: 'POST' }, ''],
  ])('is an error when %s', async (_, change, begin) => {
    const server = await serve(({ socket, request }) => {
      if (request === 1) socket.write(response('x'));
      else socket.end(begin);
    });
    const pool = openPool();
    await get(pool, server.port);
    await expect(get(pool, server.port, change)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(server.requests).toHaveLength(2);
  });
});

describe('a body', () => {
  const SIZE = 5_000_000;
  const bytes = pattern(SIZE);

  it.each(['known', 'chunked', 'until the end'])(
    'of length %s goes into shared memory',
    async (kind) => {
      const server = await serve(({ socket }) => {
        if (kind === 'known') socket.write(response(bytes));
        if (kind === 'until the end')
          socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), bytes]));
        if (kind !== 'chunked') return;
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let at = 0; at < SIZE; at += 300_000) {
          const part = bytes.subarray(at, at + 300_000);
          socket.write(`${part.length.toString(16)}\r\n`);
          socket.write(part);
          socket.write('\r\n');
        }
        socket.write('0\r\n\r\n');
      });
      const { body } = await openPool().send(requestTo(server.port));
      const memory = new Uint8Array(new SharedArrayBuffer(SIZE + 20), 10, SIZE);
      const progress: number[] = [];
      expect(await body.readInto(memory, (count) => progress.push(count))).toBe(SIZE);
      expect(Buffer.compare(memory, bytes)).toBe(0);
      expect(progress.at(-1)).toBe(SIZE);
      expect(progress).toEqual([...progress].sort((a, b) => a - b));
      const around = new Uint8Array(memory.buffer);
      expect([...around.subarray(0, 10), ...around.subarray(SIZE + 10)]).toEqual(Array(20).fill(0));
    },
  );

  it('does not leave the server while nobody reads it, and comes whole to a slow reader', async () => {
    const large = pattern(32_000_000);
    let sending: net.Socket | undefined;
    const server = await serve(({ socket }) => {
      sending = socket;
      socket.write(response(large));
    });
    const { body } = await openPool().send(requestTo(server.port));
    await sleep(300);
    expect(sending?.writableLength).toBeGreaterThan(0);
    const chunks: Buffer[] = [];
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      if (chunks.length % 100 === 0) await sleep(1);
    }
    expect(Buffer.compare(Buffer.concat(chunks), large)).toBe(0);
    expect(server.closed()).toBe(0);
  });

  it('that is longer than the memory for it is an error, and nothing is written beyond', async () => {
    const server = await serve(write(response(bytes)));
    const { body } = await openPool().send(requestTo(server.port));
    const memory = new Uint8Array(1_000_100);
    await expect(body.readInto(memory.subarray(0, 1_000_000))).rejects.toThrow(/longer than/);
    expect(memory.subarray(1_000_000)).toEqual(new Uint8Array(100));
    await expect.poll(server.closed).toBe(1);
  });

  it.each(['readInto', 'stream'])('that ends early is an error to %s', async (way) => {
    const answers = [
      'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    ];
    const server = await serve(({ socket, connection }) =>
      socket.end(answers[connection - 1] ?? ''),
    );
    const pool = openPool();
    while (server.opened() < answers.length) {
      const { body } = await pool.send(requestTo(server.port));
      const memory = new Uint8Array(10);
      const reading = way === 'stream' ? textOf(body) : body.readInto(memory);
      await expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' });
      if (way === 'readInto') expect(Buffer.from(memory.subarray(0, 3)).toString()).toBe('abc');
    }
  });

  it('that is destroyed ends its connection', async () => {
    const server = await serve(write(response(bytes)));
    const { body } = await openPool().send(requestTo(server.port));
    body.destroy();
    await expect.poll(server.closed).toBe(1);
    await expect(body.readInto(new Uint8Array(1))).rejects.toThrow(/destroyed/);
  });

  it('can be read once', async () => {
    const server = await serve(write(response('abc')));
    const { body } = await openPool().send(requestTo(server.port));
    await body.readInto(new Uint8Array(3));
    await expect(body.readInto(new Uint8Array(3))).rejects.toThrow(/read or destroyed/);
  });
});

describe('a wait ends', () => {
  const timedOut = { name: 'TimeoutError' };

  it('when no connection comes about', async () => {
    const silent = await listen(net.createServer());
    cleanups.push(silent.stop);
    const pool = openPool({ connectMs: 100 });
    const error = { ...timedOut, code: 'ETIMEDOUT', hostname: '127.0.0.1', port: silent.port };
    await expect(pool.send(requestTo(silent.port, { isTls: true }))).rejects.toMatchObject(error);
  });

  it('when the head does not come, or not to its end', async () => {
    const server = await serve(({ socket, connection }) => {
      if (connection === 2) socket.write('HTTP/1.1 200 OK\r\n');
    });
    const pool = openPool({ silenceMs: 100 });
    await expect(get(pool, server.port)).rejects.toMatchObject(timedOut);
    await expect(get(pool, server.port)).rejects.toMatchObject(timedOut);
    await expect.poll(server.closed).toBe(2);
  });

  it('when a body stalls, but only while somebody reads it', async () => {
    const server = await serve(write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'));
    const pool = openPool({ silenceMs: 100 });
    for (const way of ['readInto', 'stream']) {
      const { body } = await pool.send(requestTo(server.port));
      await sleep(250);
      expect(body.destroyed).toBe(false);
      const reading = way === 'stream' ? textOf(body) : body.readInto(new Uint8Array(10));
      await expect(reading).rejects.toMatchObject(timedOut);
    }
  });

  it('when it is aborted: before, while connecting, before the head, in the body', async () => {
    const silent = await listen(net.createServer());
    cleanups.push(silent.stop);
    const server = await serve(({ socket, connection }) => {
      if (connection > 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    });
    const pool = openPool();
    const aborted = { name: 'AbortError' };
    const before = pool.send(requestTo(server.port), AbortSignal.abort());
    await expect(before).rejects.toMatchObject(aborted);
    const connecting = pool.send(requestTo(silent.port, { isTls: true }), AbortSignal.timeout(50));
    await expect(connecting).rejects.toMatchObject(aborted);
    const waiting = pool.send(requestTo(server.port), AbortSignal.timeout(50));
    await expect(waiting).rejects.toMatchObject(aborted);
    for (const way of ['readInto', 'stream', 'later']) {
      const controller = new AbortController();
      const { body } = await pool.send(requestTo(server.port), controller.signal);
      const read = () => (way === 'stream' ? textOf(body) : body.readInto(new Uint8Array(10)));
      const reading = way === 'later' ? undefined : read();
      setTimeout(() => controller.abort(), 20);
      if (reading === undefined) await sleep(60);
      await expect(reading ?? read()).rejects.toMatchObject(aborted);
    }
    await expect.poll(server.closed).toBe(4);
  });

  it('when the pool is destroyed', async () => {
    const server = await serve(() => undefined);
    const pool = openPool();
    const request = pool.send(requestTo(server.port));
    await expect.poll(() => server.requests.length).toBe(1);
    pool.destroy();
    await expect(request).rejects.toThrow(/closed/);
    await expect(pool.send(requestTo(server.port))).rejects.toThrow(/aborted/);
    await expect.poll(server.closed).toBe(1);
  });
});

describe('a request', () => {
  it('is written as given, with a length where one is due and a host', async () => {
    const server = await serve(write(response('')));
    const pool = openPool();
    const headers = { 'x-a': '1 2', expect: '100-continue', connection: 'close' };
    await get(pool, server.port, { headers, target: '/b/%C3%BC?x=1' });
    await get(pool, server.port, { method: 'PUT', headers: { host: 'h' } });
    await get(pool, server.port, { method: 'PUT', body: Buffer.from('\r\n\r\n') });
    const host = `Host: 127.0.0.1:${server.port}`;
    const end = 'Connection: keep-alive';
    expect(server.requests.slice(0, 3).map(({ head }) => head.split('\r\n'))).toEqual([
      ['GET /b/%C3%BC?x=1 HTTP/1.1', 'x-a: 1 2', host, end],
      ['PUT /bucket/key HTTP/1.1', 'host: h', 'Content-Length: 0', end],
      ['PUT /bucket/key HTTP/1.1', host, 'Content-Length: 4', end],
    ]);
  });

  it.each<[string, Partial<HttpRequest>]>([
    ['a line end in its target', { target: '/a\r\nX: 1' }],
    ['a space in its target', { target: '/a b' }],
    ['a target without a slash', { target: 'a' }],
    ['a line end in a value', { headers: { a: '1\r\nb: 2' } }],
    ['a character beyond latin1', { headers: { a: '€' } }],
    ['a malformed name', { headers: { 'a:': '1' } }],
    ['a malformed method', { method: 'GET /\r\n' }],
  ])('with %s is never sent', async (_, change) => {
    const server = await serve(write(response('')));
    const pool = openPool();
    await expect(pool.send(requestTo(server.port, change))).rejects.toThrow(/cannot be sent/);
    expect(server.requests).toEqual([]);
    expect(await get(pool, server.port)).toBe('');
  });

  it('may be answered before it was sent, and its connection ends with that', async () => {
    const server = await serve(({ socket }) => {
      socket.pause();
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    });
    const pool = openPool();
    const body = new Uint8Array(30_000_000);
    const refused = await pool.send(requestTo(server.port, { method: 'PUT', body }));
    expect(refused.head.status).toBe(403);
    expect(await textOf(refused.body)).toBe('no');
    await get(pool, server.port);
    expect(server.opened()).toBe(2);
  });

  it('goes to an IPv6 address, and to whichever address of a name answers', async () => {
    const server = await serve(write(response('six')), '::1');
    const pool = openPool();
    expect(await get(pool, server.port, { hostname: '::1' })).toBe('six');
    expect(server.requests[0]?.head).toContain(`Host: [::1]:${server.port}`);
    const four = await serve(write(response('four')));
    expect(await get(pool, four.port, { hostname: 'localhost' })).toBe('four');
  });
});

/** What the types of Node leave out. */
type ServerSocket = Pick<TLSSocket, 'alpnProtocol' | 'isSessionReused'> & { servername?: unknown };

describe('over TLS', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'layoutfs-tls-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  async function serveTls(body: Uint8Array) {
    const seen: { reused: boolean; alpn: unknown; name: unknown }[] = [];
    const server = await serveHttps(dir, (request: IncomingMessage, answer) => {
      const socket = request.socket as unknown as ServerSocket;
      const { alpnProtocol: alpn, servername: name } = socket;
      seen.push({ reused: socket.isSessionReused(), alpn, name });
      const close = request.url === '/close' ? { connection: 'close' } : {};
      answer.writeHead(200, { 'content-length': body.length, ...close }).end(body);
    });
    cleanups.push(server.stop);
    return { ...server, seen, ca: [await readFile(server.cert, 'utf8')] };
  }

  it('a large body comes into shared memory, and slowly to a slow reader', async () => {
    const bytes = pattern(5_000_000);
    const { port, ca } = await serveTls(bytes);
    const pool = openPool({ ca });
    const request = requestTo(port, { isTls: true });
    const memory = new Uint8Array(new SharedArrayBuffer(bytes.length));
    expect(await (await pool.send(request)).body.readInto(memory)).toBe(bytes.length);
    expect(Buffer.compare(memory, bytes)).toBe(0);
    const chunks: Buffer[] = [];
    for await (const chunk of (await pool.send(request)).body) {
      chunks.push(chunk as Buffer);
      await sleep(1);
    }
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
  });

  it('sessions are used again, a name is sent, and no other protocol is offered', async () => {
    const { port, ca, seen } = await serveTls(Buffer.from('ok'));
    const pool = openPool({ ca });
    const change = { isTls: true, target: '/close' };
    for (let i = 0; i < 2; i++) expect(await get(pool, port, change)).toBe('ok');
    const common = { alpn: false, name: false };
    expect(seen).toEqual([
      { ...common, reused: false },
      { ...common, reused: true },
    ]);
    const named = openPool({ skipVerify: true });
    expect(await get(named, port, { ...change, hostname: 'localhost' })).toBe('ok');
    expect(seen[2]).toMatchObject({ name: 'localhost' });
  });

  it('certificates are checked', async () => {
    const { port, ca } = await serveTls(Buffer.from('ok'));
    const untrusted = get(openPool(), port, { isTls: true });
    await expect(untrusted).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    const misnamed = get(openPool({ ca }), port, { isTls: true, hostname: 'localhost' });
    await expect(misnamed).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });
});
