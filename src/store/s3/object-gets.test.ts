import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ResponseBody } from '../http/response-body.js';
import { ObjectGets, type ObjectQuestion } from './object-gets.js';
import type { HandlerOptions, SdkRequest, SdkResponse } from './request-handler.js';
import * as sdk from './sdk.js';

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
/** What only the SDK's own requests have: they count its attempts. */
const COUNTING = ['amz-sdk-invocation-id', 'amz-sdk-request'];

interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly text?: string;
}

const SESSION = `<CreateSessionResult><Credentials><AccessKeyId>S</AccessKeyId>
<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>`;

/** Instead of a server: notes what it gets, and answers with `answer`. */
class Recorder {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly requests: SdkRequest[] = [];
  answer: (request: SdkRequest) => Answer | Error = () => ({});

  handle = (request: SdkRequest, { early }: HandlerOptions = {}) => {
    const outcome = early?.take();
    if (outcome !== undefined) {
      return 'response' in outcome ? Promise.resolve(outcome) : Promise.reject(asError(outcome));
    }
    if (request.query !== undefined && 'session' in request.query) {
      return Promise.resolve({ response: respond({ status: 200, text: SESSION }) });
    }
    this.requests.push(request);
    const answer = this.answer(request);
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve({ response: respond(answer) });
  };

  updateHttpClientConfig(): void {
    return;
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }
}

function asError({ error }: { readonly error: unknown }): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function respond({ status = 206, headers = {}, text = 'abcd' }: Answer): SdkResponse {
  const body = new ResponseBody({ resume: () => undefined, abandon: () => undefined });
  body.give(Buffer.from(text));
  body.complete();
  const length = String(text.length);
  return {
    statusCode: status,
    reason: '',
    headers: { 'content-length': length, ...headers },
    body,
  };
}

function open(bucket: string, config: S3ClientConfig = {}) {
  const handler = new Recorder();
  const client = new sdk.S3Client({
    region: 'eu-west-3',
    credentials: CREDENTIALS,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...config,
    requestHandler: handler,
  });
  client.middlewareStack.remove('getUserAgentMiddleware');
  const gets = new ObjectGets(bucket, { sdk, client, handler });
  const get = (question: Partial<ObjectQuestion> = {}) =>
    gets.send(
      { key: 'k', range: undefined, ifMatch: undefined, ifNoneMatch: undefined, ...question },
      undefined,
    );
  return { handler, client, get };
}

/** A request without what differs between two that ask the same. */
function comparable({ method, protocol, hostname, port, path, query, headers }: SdkRequest) {
  const { authorization, 'x-amz-date': date, ...others } = headers;
  for (const name of COUNTING) Reflect.deleteProperty(others, name);
  const signed = /SignedHeaders=([^,]*)/.exec(authorization ?? '')?.[1]?.split(';');
  return {
    ...{ method, protocol, hostname, port, path, query, headers: others },
    isDated: date !== undefined,
    scope: /\/\d{8}\/(.*?),/.exec(authorization ?? '')?.[1],
    signed: signed?.filter((name) => !COUNTING.includes(name)),
  };
}

const isDirect = ({ headers }: SdkRequest) => !COUNTING.some((name) => name in headers);

describe('the GETs of objects', () => {
  afterEach(() => vi.restoreAllMocks());

  const STYLES: [string, string, S3ClientConfig][] = [
    ['at AWS', 'bucket', {}],
    ['with dots in the bucket', 'my.bucket', {}],
    ['path style', 'bucket', { forcePathStyle: true }],
    ['dual stack', 'bucket', { useDualstackEndpoint: true }],
    ['FIPS', 'bucket', { region: 'us-east-1', useFipsEndpoint: true }],
    ['accelerated', 'bucket', { useAccelerateEndpoint: true }],
    ['an access point', 'arn:aws:s3:eu-west-3:123456789012:accesspoint/mine', {}],
    ['an endpoint', 'bucket', { endpoint: 'http://127.0.0.1:9000', forcePathStyle: true }],
    ['an endpoint by name', 'bucket', { endpoint: 'https://s3.example.org' }],
    ['an endpoint with a path', 'bucket', { endpoint: 'https://a.org/s3/', forcePathStyle: true }],
    ['IPv6', 'bucket', { endpoint: 'http://[::1]:9000', forcePathStyle: true }],
    ['a session', 'bucket', { credentials: { ...CREDENTIALS, sessionToken: 'token' } }],
    ['anonymous', 'bucket', { signer: { sign: (request) => Promise.resolve(request) } }],
  ];

  it.each(STYLES)('are the same with and without the SDK: %s', async (_, bucket, config) => {
    const { handler, get } = open(bucket, config);
    const questions = [
      { key: 'a/blobs/sha256/ab', range: 'bytes=0-3', ifMatch: '"e"' },
      { key: "odd \u00e9+%&=?#!'()*~:@$,;/../x//y", ifNoneMatch: '"e"' },
    ];
    for (const question of questions) await get(question);
    const fresh = open(bucket, config);
    for (const question of [...questions].reverse()) await fresh.get(question);
    expect(handler.requests.map(isDirect)).toEqual([false, true]);
    expect(fresh.handler.requests.map(isDirect)).toEqual([false, true]);
    expect(handler.requests.map(comparable)).toEqual(
      fresh.handler.requests.map(comparable).reverse(),
    );
  });

  it('are left to the SDK where the bucket wants another signature', async () => {
    const { handler, get } = open('bucket--euw1-az1--x-s3');
    await get();
    await get();
    expect(handler.requests.map(isDirect)).toEqual([false, false]);
  });

  it('say the same of an answer with and without the SDK', async () => {
    const { handler, get } = open('bucket');
    handler.answer = () => ({
      headers: {
        'content-range': 'bytes 0-3/10',
        etag: '"e"',
        'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT',
        'x-amz-storage-class': 'GLACIER_IR',
        'content-type': 'text/plain',
      },
    });
    const [first, second] = [await get(), await get()];
    expect(handler.requests.map(isDirect)).toEqual([false, true]);
    expect(first.head).toMatchObject(second.head);
    expect(second.head.LastModified?.getTime()).toBe(784111777000);
    await expect(second.body.toArray()).resolves.toEqual([Buffer.from('abcd')]);
  });

  it('leave answers to the SDK that it reads in its own way, without asking again', async () => {
    const { handler, get } = open('bucket');
    await get();
    // An older way to write dates.
    const headers = { 'last-modified': 'Sunday, 06-Nov-94 08:49:37 GMT' };
    handler.answer = () => ({ headers });
    const { head } = await get();
    expect(head.LastModified?.getTime()).toBe(784111777000);
    expect(handler.requests).toHaveLength(2);
  });

  it('are tried as often as by the SDK alone', async () => {
    // The pauses between attempts are random parts of the longest.
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const failures: [Answer | Error, number][] = [
      [{ status: 503, text: '<Error><Code>SlowDown</Code></Error>' }, 3],
      [{ status: 500, text: '' }, 3],
      [{ status: 404, text: '<Error><Code>NoSuchKey</Code></Error>' }, 1],
      [{ status: 412, text: '' }, 1],
      [{ status: 304, text: '' }, 1],
      [Object.assign(new Error('lost'), { code: 'ECONNRESET' }), 3],
    ];
    for (const [failure, attempts] of failures) {
      const { handler, get } = open('bucket');
      handler.answer = () => failure;
      const bySdk: unknown = await get().catch((error: unknown) => error);
      expect(handler.requests).toHaveLength(attempts);
      handler.answer = () => ({});
      await get();
      handler.requests.splice(0);
      handler.answer = () => failure;
      const directly: unknown = await get().catch((error: unknown) => error);
      expect(handler.requests.map(isDirect)).toEqual(
        Array.from({ length: attempts }, (_, attempt) => attempt === 0),
      );
      expect(directly).toBeInstanceOf(Error);
      const { name, message, $metadata } = bySdk as Error & { $metadata?: { attempts?: number } };
      expect(directly).toMatchObject({ name, message });
      expect(directly).toHaveProperty('$metadata.attempts', $metadata?.attempts);
    }
  });

  it('give back to the limit of retries, as the SDK does', async () => {
    const { client, get } = open('bucket');
    await get();
    const retries = await client.config.retryStrategy();
    if (!('recordSuccess' in retries)) throw new Error('The SDK counts in another way.');
    const success = vi.spyOn(retries, 'recordSuccess');
    await get();
    expect(success).toHaveBeenCalledTimes(1);
  });

  it('are signed with new credentials when the old ones have expired', async () => {
    let given = 0;
    const credentials = () =>
      Promise.resolve({
        ...{ accessKeyId: `KEY${++given}`, secretAccessKey: 's', sessionToken: `token${given}` },
        expiration: new Date(Date.now() + 1000),
      });
    const { handler, get } = open('bucket', { credentials });
    await get();
    const before = given;
    await get();
    await get();
    const keys = handler.requests.map(({ headers }) => headers['authorization']?.slice(28, 32));
    expect(handler.requests.slice(1).every(isDirect)).toBe(true);
    expect(given).toBeGreaterThan(before);
    expect(new Set(keys).size).toBe(3);
  });

  it('end as the SDK says when there are no credentials any more', async () => {
    let isGone = false;
    const credentials = () =>
      isGone
        ? Promise.reject(Object.assign(new Error('gone'), { name: 'CredentialsProviderError' }))
        : Promise.resolve({ ...CREDENTIALS, expiration: new Date(Date.now() + 1000) });
    const { handler, get } = open('bucket', { credentials });
    await get();
    isGone = true;
    await expect(get()).rejects.toMatchObject({ name: 'CredentialsProviderError' });
    expect(handler.requests).toHaveLength(1);
  });

  it("follow the server's clock", async () => {
    const { handler, get } = open('bucket');
    const ahead = 3_600_000;
    handler.answer = () => ({ headers: { date: new Date().toUTCString() } });
    await get();
    handler.answer = ({ headers }) => {
      const server = Date.now() + ahead;
      const date = new Date(server).toUTCString();
      const off = Math.abs(server - readDate(headers['x-amz-date'] ?? ''));
      if (off < 900_000) return { headers: { date } };
      const text = '<Error><Code>RequestTimeTooSkewed</Code></Error>';
      return { status: 403, headers: { date }, text };
    };
    await get();
    expect(handler.requests.map(isDirect)).toEqual([false, true, false]);
    await get();
    await get();
    expect(handler.requests.map(isDirect).slice(3)).toEqual([true, true]);
  });
});

/** As `20260102T030405Z`. */
function readDate(text: string): number {
  return Date.parse(text.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
}
