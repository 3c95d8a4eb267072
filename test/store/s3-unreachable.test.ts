import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { SourceError, type S3Source } from '../../src/store/source.js';
import { expectFailure, readAll } from './conformance/context.js';
import { listen, serveHttp, serveHttps, type RunningServer } from './http-server.js';

/** Endpoints, certificates and credentials that lead nowhere. */
const source: S3Source = {
  kind: 's3',
  bucket: 'bucket',
  prefix: '',
  region: 'us-east-1',
  pathStyle: true,
  anonymous: true,
};

const openAt = (endpoint: string, change: Partial<S3Source> = {}) =>
  openStore({ ...source, endpoint, ...change }, { deadline: { requestMs: 8000, idleMs: 2000 } });

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'layoutfs-s3-'));
});
afterAll(() => rm(dir, { recursive: true }));

describe('an endpoint that cannot be reached', () => {
  it('is named with host and port when nothing listens', async () => {
    const { port, stop } = await listen(net.createServer());
    await stop();
    const store = await openAt(`http://127.0.0.1:${port}`);
    const message = new RegExp(`127\\.0\\.0\\.1:${port} .*ECONNREFUSED.*nothing listens`);
    await expectFailure(store.list({ prefix: '' }), 'Unreachable', message);
    await expectFailure(store.get('a'), 'Unreachable', message);
    await expectFailure(store.head('a'), 'Unreachable', message);
  });

  it('is named when there is no such host', async () => {
    const store = await openAt('http://no-such-host.invalid:9000');
    await expectFailure(store.get('a'), 'Unreachable', /no-such-host\.invalid.*DNS/);
  });

  it('is explained when it speaks https and http was meant, or the other way round', async () => {
    const plain = await serveHttp((_, response) => response.end());
    const store = await openAt(`https://127.0.0.1:${plain.port}`);
    await expectFailure(store.get('a'), 'Unreachable', /write endpoint=http:\/\//);
    await plain.stop();

    const secure = await serveHttps(dir, (_, response) => response.end());
    const other = await openAt(`http://127.0.0.1:${secure.port}`);
    await expectFailure(other.get('a'), 'Unreachable', /is it https/);
    await secure.stop();
  });

  it('ends in Timeout when it takes connections and never answers', async () => {
    const silent = await listen(net.createServer());
    const store = await openStore(
      { ...source, endpoint: `http://127.0.0.1:${silent.port}` },
      { deadline: { requestMs: 300, idleMs: 300 } },
    );
    const start = performance.now();
    await expectFailure(store.get('a'), 'Timeout', /within 300 ms/);
    await expectFailure(store.list({ prefix: '' }), 'Timeout', /within 300 ms/);
    await expectFailure(store.head('a'), 'Timeout', /within 300 ms/);
    expect(performance.now() - start).toBeLessThan(2500);
    await store.close();
  });
});

describe('a certificate', () => {
  let server: RunningServer & { cert: string };
  beforeAll(async () => {
    server = await serveHttps(dir, (_, response) => {
      response.writeHead(200, { 'content-length': '2', etag: '"e"' }).end('ok');
    });
  });
  afterAll(() => server.stop());

  it('that nobody vouches for is refused, and the message names "ca"', async () => {
    const store = await openAt(`https://127.0.0.1:${server.port}`);
    await expectFailure(store.get('a'), 'Unreachable', /not trusted here.*"ca=…"/);
  });

  it('is trusted through "ca"', async () => {
    const store = await openAt(`https://127.0.0.1:${server.port}`, { ca: server.cert });
    expect((await readAll(await store.get('a'))).toString()).toBe('ok');
    await store.close();
  });

  it('for another name is refused', async () => {
    const store = await openAt(`https://localhost:${server.port}`, { ca: server.cert });
    await expectFailure(store.get('a'), 'Unreachable', /another host name/);
  });

  it('file that cannot be used is refused at once', async () => {
    const bad = join(dir, 'bad.pem');
    await writeFile(bad, '-----BEGIN CERTIFICATE-----\nbm90\n-----END CERTIFICATE-----\n');
    const open = (ca: string) => openAt('https://127.0.0.1:1', { ca });
    await expect(open(join(dir, 'absent.pem'))).rejects.toThrow(/absent\.pem.*cannot be read/);
    await expect(open(bad)).rejects.toThrow(/not a list of PEM certificates/);
    await expect(open(bad)).rejects.toBeInstanceOf(SourceError);
  });
});

describe('credentials that do not exist', () => {
  let blackHole: RunningServer;
  beforeAll(async () => {
    // Stands for the address of a cloud's metadata service on a host outside that cloud.
    blackHole = await listen(net.createServer());
  });
  afterAll(() => blackHole.stop());
  beforeEach(() => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) {
      vi.stubEnv(name, undefined);
    }
    vi.stubEnv('AWS_CONFIG_FILE', join(dir, 'no-config'));
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(dir, 'no-credentials'));
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', `http://127.0.0.1:${blackHole.port}`);
  });
  afterEach(() => vi.unstubAllEnvs());

  it('are missed within three seconds, and the message says what to do', async () => {
    const store = await openAt('http://127.0.0.1:1', { anonymous: false });
    const start = performance.now();
    const message = /AWS_ACCESS_KEY_ID.*"profile=…".*"anonymous=true"/;
    await expectFailure(store.list({ prefix: '' }), 'BadCredentials', message);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('are missed in a profile that does not exist', async () => {
    const store = await openAt('http://127.0.0.1:1', { anonymous: false, profile: 'nobody' });
    await expectFailure(store.get('a'), 'BadCredentials', /nobody/);
  });

  it('are found in a profile that exists', async () => {
    const text = '[p]\naws_access_key_id = from-profile\naws_secret_access_key = s\n';
    // Another file than before: the SDK remembers what it read, also that it was absent.
    const file = join(dir, 'profiles');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
    await writeFile(file, text);
    let authorization: string | undefined;
    const server = await serveHttp((request, response) => {
      authorization = request.headers.authorization;
      response.writeHead(404).end();
    });
    const change = { anonymous: false, profile: 'p' };
    const store = await openAt(`http://127.0.0.1:${server.port}`, change);
    await expectFailure(store.get('a'), 'NotFound');
    expect(authorization).toContain('Credential=from-profile/');
    await server.stop();
  });
});
