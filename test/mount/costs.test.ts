import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Counters } from '../../src/observe/counters.js';
import { silentLog } from '../../src/observe/log.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { makeBucket } from '../servers/bucket.js';
import { FaultProxy } from '../servers/fault-proxy.js';
import { startRadosgw } from '../servers/radosgw.js';
import type { S3Server } from '../servers/server.js';
import { mountLayoutfs, type MountedLayoutfs } from '../support/mount.js';
import { runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';

/**
 * What reading costs, counted by a proxy in front of a real S3 server: it sees every request that
 * the mount sends, whatever the mount itself believes.
 */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const MIB = 1024 * 1024;
const LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

interface PutDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

let server: S3Server;
let proxy: FaultProxy;
let store: WritableObjectStore;
let source: string;
let mount: MountedLayoutfs | undefined;

async function putBlob(bytes: Uint8Array, mediaType: string): Promise<PutDescriptor> {
  const encoded = createHash('sha256').update(bytes).digest('hex');
  await store.put(`storage/blobs/sha256/${encoded}`, bytes);
  return { mediaType, digest: `sha256:${encoded}`, size: bytes.byteLength };
}

async function putManifest(layers: readonly PutDescriptor[]): Promise<PutDescriptor> {
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => layer.digest) };
  const config = await putBlob(
    Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs })),
    CONFIG,
  );
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers };
  return putBlob(Buffer.from(JSON.stringify(manifest)), MANIFEST);
}

async function putRepository(name: string, manifests: readonly PutDescriptor[]): Promise<void> {
  const tagged = manifests.map((manifest, i) => ({
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': `v${i + 1}` },
  }));
  await store.put(`${name}/oci-layout`, LAYOUT);
  await store.put(
    `${name}/index.json`,
    Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: tagged })),
  );
}

const temporary: string[] = [];

/** A directory that is gone after the tests. */
async function scratch(prefix: string): Promise<string> {
  const directory = await makeTemporaryDirectory(prefix);
  temporary.push(directory);
  return directory;
}

async function freshMount(...more: string[]): Promise<MountedLayoutfs> {
  await mount?.unmount();
  proxy.requests.length = 0;
  mount = await mountLayoutfs(source, { arguments: more });
  return mount;
}

/** Requests so far, as `GET key` with the range's first byte where there is one; sorted. */
function requests(): string[] {
  return proxy.requests
    .map(({ operation, key, range }) => {
      const from = /^bytes=(\d+)-/.exec(range ?? '')?.[1];
      return `${operation} ${key}${from === undefined || from === '0' ? '' : ` from ${from}`}`;
    })
    .sort();
}

/** The GETs of a blob asked for each of its bytes once, and for a MiB or more at a time. */
function expectFetchedOnce(blob: PutDescriptor): void {
  const ranges = proxy.requests
    .filter(({ operation, key }) => operation === 'GET' && key === keyOf(blob))
    .map(
      ({ range }) =>
        /^bytes=(\d+)-(\d+)$/
          .exec(range ?? '')
          ?.slice(1)
          .map(Number) ?? [],
    )
    .sort(([a = NaN], [b = NaN]) => a - b);
  let end = 0;
  for (const [first, last = NaN] of ranges) {
    expect(first).toBe(end);
    end = last + 1;
  }
  expect(end).toBe(blob.size);
  expect(ranges.length).toBeLessThanOrEqual(Math.ceil(blob.size / MIB));
}

const keyOf = (descriptor: PutDescriptor) => `storage/blobs/${descriptor.digest.replace(':', '/')}`;

beforeAll(async () => {
  server = await startRadosgw();
  proxy = await FaultProxy.start(server.endpoint);
  const bucket = await makeBucket(server);
  const options = { deadline: { requestMs: 20_000, idleMs: 20_000 }, log: silentLog };
  store = await openStore(bucket, { ...options, counters: new Counters() });
  source = `s3://${bucket.bucket}?endpoint=${proxy.endpoint}`;
});

afterAll(async () => {
  await mount?.unmount();
  await store.close();
  await proxy.stop();
  await server.stop();
  await Promise.all(temporary.map((path) => rm(path, { recursive: true, force: true })));
});

describe('an image read through a fresh mount', () => {
  const sizes = [1000, MIB, 4 * MIB, 9 * MIB, 300_000];
  let layers: PutDescriptor[];
  let manifests: PutDescriptor[];

  beforeAll(async () => {
    layers = [];
    for (const size of sizes) layers.push(await putBlob(randomBytes(size), LAYER));
    manifests = [];
    for (const count of [2, 5, 3]) manifests.push(await putManifest(layers.slice(0, count)));
    await putRepository('team/app', manifests);
    await putRepository('team/other', manifests);
  });

  it('costs at most ten LISTs and no HEAD to mount', async () => {
    await freshMount();
    expect(proxy.count('LIST')).toBeLessThanOrEqual(10);
    expect(proxy.count('HEAD')).toBe(0);
    expect(proxy.count('GET')).toBeLessThanOrEqual(4);
  });

  it('costs one GET per document, the ranged GETs of its layers, and no LIST of what was listed to mount', async () => {
    const { mountpoint } = await freshMount('--refresh', '60s');
    proxy.requests.length = 0;
    const out = await scratch('copied');
    await runOk('skopeo', ['copy', '-q', `oci:${mountpoint}/team/app:v2`, `dir:${out}`]);
    const [, image] = manifests;
    if (!image) throw new Error('There is no second image.');
    const config = proxy.requests.find(
      ({ key }) => key.startsWith('storage/') && ![image, ...layers].some((d) => keyOf(d) === key),
    );
    for (const layer of layers) expectFetchedOnce(layer);
    expect(requests().filter((request) => !request.includes(' from '))).toEqual(
      [
        'GET team/app/index.json',
        `GET ${keyOf(image)}`,
        `GET ${config?.key ?? 'the config'}`,
        ...layers.map((layer) => `GET ${keyOf(layer)}`),
      ].sort(),
    );
  });

  it('costs nothing but the way there when its blobs were read through another repository', async () => {
    proxy.requests.length = 0;
    const mountpoint = mount?.mountpoint ?? '';
    const out = await scratch('copied');
    await runOk('skopeo', ['copy', '-q', `oci:${mountpoint}/team/other:v2`, `dir:${out}`]);
    expect(requests()).toEqual(['GET team/other/index.json', 'LIST team/other/']);
  });
});

describe('ls -l of a repository with 1,000 blobs', () => {
  const MANIFESTS = 20;

  beforeAll(async () => {
    const manifests: PutDescriptor[] = [];
    for (let m = 0; m < MANIFESTS; m++) {
      // The layers themselves are not stored: a listing must not notice.
      const layers = Array.from({ length: 48 }, (_, i) => ({
        mediaType: LAYER,
        digest: `sha256:${createHash('sha256').update(`${m}/${i}`).digest('hex')}`,
        size: 1000 + i,
      }));
      manifests.push(await putManifest(layers));
    }
    await putRepository('large', manifests);
  });

  it('costs one GET per manifest and no HEAD; again, no request at all', async () => {
    const { mountpoint } = await freshMount('--refresh', '60s');
    proxy.requests.length = 0;
    const listed = await runOk('ls', ['-l', `${mountpoint}/large/blobs/sha256`]);
    expect(listed.trim().split('\n')).toHaveLength(1 + MANIFESTS * 50);
    expect(proxy.count('HEAD')).toBe(0);
    expect(proxy.requests.filter(({ key }) => key.startsWith('storage/'))).toHaveLength(MANIFESTS);
    expect(requests().filter((request) => !request.includes('storage/'))).toEqual([
      'GET large/index.json',
    ]);
    proxy.requests.length = 0;
    expect(await runOk('ls', ['-l', `${mountpoint}/large/blobs/sha256`])).toBe(listed);
    expect(requests()).toEqual([]);
  });
});

describe('ls of a root', () => {
  it('costs one LIST per 1,000 repositories', async () => {
    const directory = await scratch('many');
    for (let i = 0; i < 2500; i++) {
      const repository = join(directory, `r${i}`);
      await mkdir(repository);
      await writeFile(join(repository, 'oci-layout'), LAYOUT);
      await writeFile(join(repository, 'index.json'), '{"schemaVersion":2,"manifests":null}');
    }
    const many = await mountLayoutfs(directory);
    const before = (await many.status()).counters;
    expect((await runOk('ls', [many.mountpoint])).trim().split('\n')).toHaveLength(2500);
    const after = (await many.status()).counters;
    expect(after['store.list'] - before['store.list']).toBe(3);
    expect(after['store.get'] - before['store.get']).toBe(0);
    await many.unmount();
  });
});
