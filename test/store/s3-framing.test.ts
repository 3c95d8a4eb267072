import { afterEach, describe, expect, it } from 'vitest';
import type { StoreErrorCode } from '../../src/store/errors.js';
import type { GetResult, WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { expectFailure, pattern, readAll } from './conformance/context.js';
import { response, serveRaw, type RawRequest } from './raw-server.js';

/** HTTP as servers, proxies and lost connections write it, up to what the store's callers see. */
describe('the s3 store', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function storeOver(answer: (request: RawRequest) => void, connections = 64) {
    const server = await serveRaw(answer);
    const endpoint = `http://127.0.0.1:${server.port}`;
    const store: WritableObjectStore = await openStore(
      { kind: 's3', bucket: 'b', prefix: '', endpoint, pathStyle: true, anonymous: true },
      { deadline: { requestMs: 10_000, idleMs: 400 }, connections },
    );
    cleanups.push(() => store.close(), server.stop);
    return { store, server };
  }

  const WAYS: [string, (result: GetResult) => Promise<Buffer>][] = [
    ['body', readAll],
    [
      'readInto',
      async (result) => {
        const target = Buffer.from(new SharedArrayBuffer(result.length));
        await result.readInto(target);
        return target;
      },
    ],
  ];

  const head = (...fields: string[]) =>
    ['HTTP/1.1 206 Partial Content', ...fields, '', ''].join('\r\n');
  const range = { offset: 10, length: 10 };
  const CONTENT_RANGE = 'Content-Range: bytes 10-19/100';

  describe.each(WAYS)('(%s)', (_, read) => {
    it('reads a range that comes in chunks, or ends with the connection', async () => {
      const answers = [
        `${head(CONTENT_RANGE, 'Transfer-Encoding: chunked')}4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nT: 1\r\n\r\n`,
        `HTTP/1.1 102 Processing\r\n\r\n${head(CONTENT_RANGE)}0123456789`,
      ];
      const { store } = await storeOver(({ socket, connection }) => {
        socket.end(answers[connection - 1] ?? '');
      });
      for (const answer of answers) {
        expect(answer).toContain('10-19');
        expect((await read(await store.get('k', { range }))).toString()).toBe('0123456789');
      }
    });

    it.each([
      ['short', head(CONTENT_RANGE, 'Content-Length: 10') + '012345', /4 bytes early/],
      [
        'shorter than its range',
        head(CONTENT_RANGE, 'Content-Length: 6') + '012345',
        /4 bytes early/,
      ],
      ['empty', head(CONTENT_RANGE), /10 bytes early/],
      [
        'longer than its range',
        head(CONTENT_RANGE, 'Content-Length: 12') + '0123456789ab',
        /longer/,
      ],
      ['longer, to its end', head(CONTENT_RANGE) + '0123456789ab', /longer/],
      [
        'of chunks that are cut off',
        head(CONTENT_RANGE, 'Transfer-Encoding: chunked') + '6\r\n012345\r\n',
        /4 bytes early/,
      ],
      [
        'of malformed chunks',
        head(CONTENT_RANGE, 'Transfer-Encoding: chunked') + '6\r\n012345\r\nnonsense\r\n',
        /4 bytes early/,
      ],
    ])('says Interrupted to a body that is %s', async (__, answer, message) => {
      const { store } = await storeOver(({ socket }) => socket.end(answer));
      const result = await store.get('k', { range });
      expect(result.length).toBe(10);
      const reading = read(result);
      await expectFailure(reading, 'Interrupted', message);
    });

    it('says Interrupted when the connection is reset in a large body', async () => {
      const bytes = pattern(1_000_000);
      const { store } = await storeOver(({ socket }) => {
        socket.write(response(bytes).subarray(0, 600_000), () => {
          setTimeout(() => socket.resetAndDestroy(), 30);
        });
      });
      await expectFailure(read(await store.get('k')).then(String), 'Interrupted', /early/);
    });

    it('says Timeout when a body stalls, and ends the connection', async () => {
      const { store, server } = await storeOver(({ socket }) => {
        socket.write(response(pattern(1_000_000)).subarray(0, 600_000));
      });
      const result = await store.get('k');
      await expectFailure(read(result), 'Timeout', /no bytes came for 400 ms/);
      await expect.poll(server.closed).toBe(1);
    });

    it('waits as long as bytes come, however slowly', async () => {
      const { store } = await storeOver(({ socket }) => {
        const bytes = response('0123456789');
        socket.write(bytes.subarray(0, -10));
        for (let i = 0; i < 10; i++) {
          setTimeout(
            () =>
              socket.write(
                bytes.subarray(bytes.length - 10 + i, bytes.length - 9 + i || undefined),
              ),
            100 * i,
          );
        }
      });
      expect((await read(await store.get('k'))).toString()).toBe('0123456789');
    });

    it('takes its part from a server that ignores ranges, and hangs up', async () => {
      const bytes = pattern(3_000_000);
      const { store, server } = await storeOver(({ socket }) => socket.write(response(bytes)));
      const result = await store.get('k', { range: { offset: 100_000, length: 700_000 } });
      expect(Buffer.compare(await read(result), bytes.subarray(100_000, 800_000))).toBe(0);
      await expect.poll(server.closed).toBe(1);
    });
  });

  const error = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>m</Message></Error>';
  const refused = (code: string) => error.replace('SlowDown', code);
  it.each<[string, string, StoreErrorCode, RegExp]>([
    [
      'in chunks',
      `HTTP/1.1 403 F\r\nTransfer-Encoding: chunked\r\n\r\n${error.length.toString(16)}\r\n${error}\r\n0\r\n\r\n`,
      'Unavailable',
      /slow down/,
    ],
    [
      'until the end',
      `HTTP/1.1 403 F\r\n\r\n${refused('InvalidAccessKeyId')}`,
      'BadCredentials',
      /InvalidAccessKeyId/,
    ],
    [
      'of a proxy, that is a web page',
      'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 13\r\n\r\n<html></html>',
      'Unavailable',
      /502/,
    ],
    [
      'without a body',
      'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
      'NotFound',
      /no such/,
    ],
    [
      'that breaks off',
      'HTTP/1.1 404 Not Found\r\nContent-Length: 90\r\n\r\n<Error>',
      'Unreachable',
      /closed/,
    ],
  ])('understands an error %s', async (_, answer, code, message) => {
    const { store } = await storeOver(({ socket }) => socket.end(answer));
    await expectFailure(store.get('k'), code, message);
  });

  it.each<[string, string, RegExp]>([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /no HTTP.*endpoint/],
    ['TLS', '\x15\x03\x03\x00\x02\x02\x46', /https:\/\//],
    ['endless headers', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`, /32768 bytes of headers/],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      /two headers/,
    ],
    [
      'a length beside chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /contradictory/,
    ],
  ])('does not accept %s', async (_, answer, message) => {
    const { store, server } = await storeOver(({ socket }) => {
      socket.write(Buffer.from(answer, 'latin1'));
    });
    await expectFailure(store.get('k'), 'Failed', message);
    await expect.poll(server.closed).toBe(1);
    expect(server.requests).toHaveLength(1);
  });

  it('has no more connections than it may, and what waits for one is not late', async () => {
    const { store, server } = await storeOver(({ socket }) => {
      setTimeout(() => socket.write(response(pattern(200_000))), 30);
    }, 4);
    const bodies = Array.from({ length: 100 }, async (_, i) => {
      const result = await store.get(`k${i}`, i % 2 === 0 ? { priority: 'background' } : {});
      await result.readInto(new Uint8Array(200_000));
      return i;
    });
    const order: number[] = [];
    for (const body of bodies) void body.then((i) => order.push(i));
    await Promise.all(bodies);
    expect(server.opened()).toBe(4);
    const isBackground = order.map((i) => i % 2 === 0);
    // The first few found no queue, and of those that end together any may be first.
    expect(isBackground.slice(-40)).toEqual(Array(40).fill(true));
  });

  it('says Unreachable to a server that hangs up, after three attempts', async () => {
    const { store, server } = await storeOver(({ socket }) => socket.destroy());
    await expectFailure(store.head('k'), 'Unreachable', /closed the connection/);
    expect(server.requests).toHaveLength(3);
  });

  it('sends a request again over a new connection when the old one had been closed', async () => {
    const { store, server } = await storeOver(({ socket, request }) => {
      if (request === 1) socket.write(response('x', 'ETag: "e"'));
      else socket.destroy();
    });
    for (let i = 0; i < 5; i++) expect((await readAll(await store.get('k'))).toString()).toBe('x');
    // At once, without the SDK's pause: 5 answers, and 4 requests on connections that were closed.
    expect(server.requests).toHaveLength(9);
  });

  it('writes keys and prefixes so that nothing in them can end a line', async () => {
    const { store, server } = await storeOver(({ socket }) => socket.write(response('x')));
    const key = "a b\r\nX-Evil: 1\r\n\r\n/ü'(*)?#%25";
    await readAll(await store.get(key));
    const [line = '', ...fields] = server.requests[0]?.head.split('\r\n') ?? [];
    expect(line).toMatch(/^GET \/b\/[\x21-\x7e]+ HTTP\/1\.1$/);
    expect(decodeURIComponent(line.split(' ')[1]?.split('?')[0] ?? '')).toBe(`/b/${key}`);
    expect(fields.join()).not.toContain('Evil');
    expect(fields).toContain('user-agent: layoutfs');
    await store.list({ prefix: key }).catch(() => undefined);
    const target = server.requests[1]?.head.split(' ')[1] ?? '';
    expect(new URL(target, 'http://host').searchParams.get('prefix')).toBe(key);
  });
});
