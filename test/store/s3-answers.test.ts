import type { RequestListener, ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../src/store/deadline.js';
import type { StoreErrorCode } from '../../src/store/errors.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { expectFailure, pattern, readAll } from './conformance/context.js';
import { serveHttp } from './http-server.js';

/**
 * Answers of S3 and of things that pretend to be S3, which no server at hand gives. Their texts
 * follow https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
 */
describe('the s3 store', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function storeOver(listener: RequestListener): Promise<WritableObjectStore> {
    const server = await serveHttp(listener);
    const endpoint = `http://127.0.0.1:${server.port}`;
    const store = await openStore(
      { kind: 's3', bucket: 'b', prefix: '', endpoint, pathStyle: true, anonymous: true },
      { deadline: { requestMs: 10_000, idleMs: 400 } },
    );
    cleanups.push(() => store.close(), server.stop);
    return store;
  }

  const answer = (status: number, code: string, more = '', headers = {}) => {
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message>${more}</Error>`;
    return (response: ServerResponse) =>
      response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body);
  };

  const ANSWERS: [string, (response: ServerResponse) => unknown, StoreErrorCode, RegExp][] = [
    ['an archived object', answer(403, 'InvalidObjectState'), 'Archived', /restore/],
    ['an expired token', answer(400, 'ExpiredToken'), 'BadCredentials', /expired/],
    ['a wrong clock', answer(403, 'RequestTimeTooSkewed'), 'BadCredentials', /clock/],
    ['a 401', answer(401, 'Unauthorized'), 'BadCredentials', /AWS_ACCESS_KEY_ID/],
    [
      'another region',
      answer(301, 'PermanentRedirect', '', { 'x-amz-bucket-region': 'eu-west-3' }),
      'Failed',
      /region=eu-west-3/,
    ],
    [
      'a signature for another region',
      answer(400, 'AuthorizationHeaderMalformed', '<Region>eu-west-3</Region>'),
      'Failed',
      /region=eu-west-3/,
    ],
    ['a redirect to nowhere', answer(301, 'PermanentRedirect'), 'Failed', /elsewhere/],
    ['a server in trouble', answer(500, 'InternalError'), 'Unavailable', /500.*later/],
    ['a busy server', answer(503, 'SlowDown'), 'Unavailable', /slow down/],
    ['too many requests', answer(429, 'TooManyRequests'), 'Unavailable', /429/],
    ['a 412 nobody asked for', answer(412, 'Odd'), 'AccessDenied', /anonymous/],
    ['a 418', answer(418, 'Teapot'), 'Failed', /418.*Teapot/],
  ];

  it.each(ANSWERS)('understands %s', async (_, respond, code, message) => {
    const store = await storeOver((__, response) => {
      respond(response);
    });
    await expectFailure(store.get('k'), code, message);
  });

  // Only the first request is built by the whole SDK.
  it.each(ANSWERS)('understands %s after a good answer', async (_, respond, code, message) => {
    let asked = 0;
    const store = await storeOver((__, response) => {
      if (++asked === 1) response.writeHead(200, { 'content-length': '2', etag: '"e"' }).end('ok');
      else respond(response);
    });
    expect(await readAll(await store.get('k'))).toEqual(Buffer.from('ok'));
    await expectFailure(store.get('k'), code, message);
  });

  it('repeats later requests that fail, and ends them when they are aborted or take too long', async () => {
    let asked = 0;
    const silent = new Set([6, 7]);
    const store = await storeOver((request, response) => {
      asked++;
      if (asked === 2) response.writeHead(503).end();
      else if (asked === 3) request.socket.destroy();
      else if (!silent.has(asked)) response.writeHead(200, { 'content-length': '2' }).end('ok');
    });
    for (const until of [1, 4, 5]) {
      expect(await readAll(await store.get('k'))).toEqual(Buffer.from('ok'));
      expect(asked).toBe(until);
    }
    const controller = new AbortController();
    const aborted = store.get('k', { signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 50);
    await expectFailure(aborted, 'Aborted');
    await expectFailure(
      withDeadline(store, { requestMs: 100, idleMs: 100 }).get('k'),
      'Timeout',
      /within 100 ms/,
    );
    expect(asked).toBe(7);
    expect(await readAll(await store.get('k'))).toEqual(Buffer.from('ok'));
  });

  it('names the permissions that the looks at uploads need', async () => {
    const store = await storeOver((_, response) => answer(403, 'AccessDenied')(response));
    await expectFailure(store.uploads('z/'), 'AccessDenied', /s3:ListBucketMultipartUploads/);
    const upload = { key: 'z/k', id: '1' };
    await expectFailure(store.abortUpload(upload), 'AccessDenied', /s3:AbortMultipartUpload/);
  });

  it('takes its part from a server that ignores ranges', async () => {
    const bytes = pattern(300_000);
    const store = await storeOver((_, response) => {
      response.writeHead(200, { 'content-length': bytes.length, etag: '"e"' }).end(bytes);
    });
    for (const [offset, length] of [
      [0, 10],
      [100_000, 70_000],
      [299_990, 100],
    ] as const) {
      const result = await store.get('k', { range: { offset, length } });
      expect(result.info.size).toBe(300_000);
      expect(await readAll(result)).toEqual(Buffer.from(bytes.subarray(offset, offset + length)));
    }
    const range = { offset: 300_000, length: 1 };
    await expectFailure(store.get('k', { range }), 'RangeNotSatisfiable');
  });

  it('refuses another range than it asked for, and an unknown length', async () => {
    const range = { offset: 10, length: 10 };
    for (const header of ['bytes 0-9/100', 'bytes 10-30/100', 'bytes 10-19/*', 'nonsense']) {
      const store = await storeOver((_, response) => {
        response.writeHead(206, { 'content-range': header }).end(pattern(10));
      });
      await expectFailure(store.get('k', { range }), 'Failed', /asked for bytes 10-19/);
    }
    const chunked = await storeOver((_, response) => {
      response.write('a');
      response.end('b');
    });
    await expectFailure(chunked.get('k'), 'Failed', /how long/);
  });

  it('uses one connection for bodies that are taken to their end, one after the other', async () => {
    const connections = new Set<unknown>();
    const store = await storeOver((request, response) => {
      connections.add(request.socket);
      response.writeHead(200, { 'content-length': '100000' }).end(pattern(100_000));
    });
    for (let i = 0; i < 10; i++) {
      const result = await store.get('k');
      let left = result.length;
      for await (const chunk of result.body) {
        left -= chunk.length;
        // A reader that knows the length need not wait for the end.
        if (left === 0 && i % 2 === 0) break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(connections.size).toBe(1);
  });

  it('does not take a web page for an empty bucket', async () => {
    for (const page of ['<html><body>Welcome</body></html>', 'hello', '']) {
      const store = await storeOver((_, response) => response.end(page));
      await expectFailure(
        store.list({ prefix: '' }),
        'Failed',
        /not that of an S3 server.*endpoint/,
      );
    }
  });

  it('does not follow a listing that leads nowhere', async () => {
    const list = (next: string) =>
      `<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>${next}</ListBucketResult>`;
    const endless = await storeOver((_, response) => response.end(list('')));
    await expectFailure(endless.list({ prefix: '' }), 'Failed', /does not say where/);
    const circle = '<NextContinuationToken>t</NextContinuationToken>';
    const circular = await storeOver((_, response) => response.end(list(circle)));
    await expectFailure(circular.list({ prefix: '', token: 't' }), 'Failed', /does not say where/);
  });

  it('reads listings of servers that do not encode keys, and storage classes', async () => {
    const contents =
      '<Contents><Key>a+b%20c</Key><Size>3</Size><StorageClass>GLACIER</StorageClass></Contents>';
    const page = `<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`;
    const store = await storeOver((_, response) => response.end(page));
    expect(await store.list({ prefix: '' })).toEqual({
      objects: [{ key: 'a+b%20c', size: 3, storageClass: 'GLACIER' }],
      prefixes: [],
    });
  });
});
