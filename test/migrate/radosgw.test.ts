import { CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyRequests, type WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { requestCount } from '../../src/migrate/run/requests.js';
import { TreeView } from '../support/tree-view.js';
import { unpackZotState } from '../fixtures/unpack.js';
import { readKeys } from '../images/upload.js';
import { digestsWithContent, ownKeys, stateOf } from './support/bucket-state.js';
import { CrashingStore, Killed } from './support/crashing-store.js';
import { runMigration, runRollback } from './support/runs.js';
import { makeS3Bucket, type S3Bucket } from './support/s3-buckets.js';
import {
  alpha,
  blobOf,
  config,
  documentsOf,
  keyOf,
  layerA,
  layerB,
  manifestOf,
  smallRegistry,
  soundRegistry,
  wide,
  half,
  type Blob,
} from './support/small-registry.js';

const opened: WritableObjectStore[] = [];
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()));
});

async function open({ source }: S3Bucket): Promise<WritableObjectStore> {
  const store = await openStore(source);
  opened.push(store);
  return store;
}

async function bucket(objects: Record<string, string | Buffer>) {
  const made = await makeS3Bucket(Object.entries(objects));
  return { made, store: await open(made) };
}

describe('on a real S3 server', () => {
  test('a migration and its rollback are exact, and cost what was planned', async () => {
    const { store } = await bucket(smallRegistry());
    const before = await stateOf(store);
    const had = await digestsWithContent(store);
    const there = await runMigration(store);
    expect(there.finished).toBe(true);
    expect(await digestsWithContent(store)).toEqual(had);
    const back = await runRollback(store);
    expect(await stateOf(store)).toEqual(before);
    expect((await ownKeys(store)).every((key) => key.startsWith('_layoutfs/0001-'))).toBe(true);
    for (const { plan, requests } of [there, back]) {
      const planned = requestCount(plan.requests);
      // Three objects are not what their names say, which no listing shows.
      expect(Math.abs(planned - requestCount(requests))).toBeLessThanOrEqual(8);
    }
  });

  test('a bucket of which all is sound costs what was planned, within 5 %', async () => {
    const { store } = await bucket(soundRegistry());
    for (const run of [runMigration, runRollback]) {
      const { plan, requests } = await run(store);
      const actual = requestCount(requests);
      expect(Math.abs(requestCount(plan.requests) - actual)).toBeLessThanOrEqual(actual * 0.05);
    }
  });

  test('killed after each request in turn, a migration ends as if nothing had happened', async () => {
    const objects = (root: string): [string, string | Buffer][] =>
      Object.entries({
        ...documentsOf('a', [alpha]),
        ...documentsOf('b', [alpha]),
        [keyOf('a', alpha)]: alpha.bytes,
        [keyOf('a', config)]: '',
        [keyOf('b', config)]: config.bytes,
        [keyOf('a', layerA)]: layerA.bytes,
        [keyOf('b', layerA)]: '',
        [keyOf('a', layerB)]: layerB.bytes,
        [keyOf('b', layerB)]: layerB.bytes,
        [keyOf('b', wide)]: wide.bytes,
        [keyOf('a', half)]: half.bytes,
        [keyOf('storage', half)]: half.bytes,
      }).map(([key, body]) => [root + key, body]);
    const roots = Array.from({ length: 61 }, (_, number) => `${number}/`);
    const store = await open(await makeS3Bucket(roots.flatMap(objects)));
    const counted = new CrashingStore(store);
    await runMigration(counted.store, 'shared', { root: '0/' });
    const expected = await stateOf(store, '0/');
    const requests = counted.asked.length;
    expect(requests).toBeLessThanOrEqual(60);
    const had = await digestsWithContent(store, '1/');
    // Each at its own root, so that they need not wait for each other.
    const killAt = async (at: number): Promise<void> => {
      const root = `${at}/`;
      const killed = new CrashingStore(store, { at, done: true });
      await expect(runMigration(killed.store, 'shared', { root })).rejects.toThrow(Killed);
      expect(await digestsWithContent(store, root), `killed at ${at}`).toEqual(had);
      await runMigration(store, 'shared', { root });
      expect(await stateOf(store, root), `killed at ${at}`).toEqual(expected);
      await runRollback(store, { root }).catch(() => undefined);
      expect(await stateOf(store, root)).toEqual(await stateOf(store, '60/'));
    };
    for (let at = 1; at <= requests; at += 4) {
      const together = [at, at + 1, at + 2, at + 3].filter((one) => one <= requests);
      await Promise.all(together.map(killAt));
    }
  });

  test('what was pushed in between is given to its repositories, and all else is as before', async () => {
    const { store } = await bucket(soundRegistry());
    const before = await stateOf(store);
    await runMigration(store);
    const layer = blobOf('a new layer');
    const image = manifestOf(config, [layer, layerB]);
    const documents = {
      ...documentsOf('team/alpha', [alpha, image]),
      ...documentsOf('brand/new', [image]),
    };
    const inStorage = [layer, image].map((blob) => [keyOf('storage', blob), blob.bytes] as const);
    for (const [key, body] of [...Object.entries(documents), ...inStorage]) {
      await store.put(key, Buffer.from(body));
    }
    const { finished } = await runRollback(store);
    expect(finished).toBe(true);
    const described = ({ bytes, digest }: Blob) => `${bytes.length} ${digest.slice(7)}`;
    const given = [
      ...Object.entries(documents).map(([key, text]) => [key, described(blobOf(text))]),
      ...[layer, image].map((blob) => [keyOf('team/alpha', blob), described(blob)]),
      ...[layer, image, layerB, config].map((one) => [keyOf('brand/new', one), described(one)]),
    ];
    expect(await stateOf(store)).toEqual({ ...before, ...Object.fromEntries(given) });
  });

  test('an image that is pushed while blobs are copied stops the run before it deletes', async () => {
    const { store } = await bucket(soundRegistry());
    const had = await digestsWithContent(store);
    const seen = new CrashingStore(store);
    seen.afterWrite = async ({ verb }) => {
      if (verb !== 'copy') return;
      const [, index = ''] = Object.values(documentsOf('team/alpha', [alpha, alpha]));
      await store.put('team/alpha/index.json', Buffer.from(index));
    };
    await expect(runMigration(seen.store)).rejects.toThrow(
      /index.json of team\/alpha changed .* Nothing was deleted/,
    );
    expect(seen.asked.filter(({ verb }) => verb === 'deleteMany')).toEqual([]);
    expect(await digestsWithContent(store)).toEqual(had);
  });

  test('blobs larger than one request copies are copied in parts', async () => {
    const { made } = await bucket({});
    const limits = { largestCopy: 6 * 2 ** 20, copyPart: 5 * 2 ** 20 };
    const store = await openStore(made.source, { access: { copyLimits: limits } });
    opened.push(store);
    const large = blobOf('large layer '.repeat(600_000));
    const image = manifestOf(config, [large]);
    for (const [key, body] of Object.entries({
      ...documentsOf('r', [image]),
      [keyOf('r', image)]: image.bytes,
      [keyOf('r', config)]: config.bytes,
      [keyOf('r', large)]: large.bytes,
    })) {
      await store.put(key, Buffer.from(body));
    }
    const before = await stateOf(store);
    expect(copyRequests(store.capabilities, large.bytes.length)).toBe(4);
    for (const run of [runMigration, runRollback]) {
      const { plan, requests } = await run(store);
      expect(requests.put).toBe(plan.requests.put);
    }
    expect(await stateOf(store)).toEqual(before);
  });

  test('where deleting is not allowed nothing is moved, and nothing lost', async () => {
    const { made, store } = await bucket(soundRegistry());
    const before = await stateOf(store);
    await made.deny(['s3:DeleteObject'], '');
    await expect(runMigration(store)).rejects.toThrow(/Nothing was moved, .* s3:DeleteObject/);
    expect(await stateOf(store)).toEqual(before);
  });

  test('where some keys may not be deleted the run says which, and loses nothing', async () => {
    const { made, store } = await bucket(soundRegistry());
    const had = await digestsWithContent(store);
    await made.deny(['s3:DeleteObject'], 'team/beta/');
    const { finished, refused } = await runMigration(store);
    expect(finished).toBe(false);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every(({ key }) => key.startsWith('team/beta/'))).toBe(true);
    expect(await digestsWithContent(store)).toEqual(had);
  });

  test('while a multipart upload is under way nothing is moved', async () => {
    const { made, store } = await bucket(soundRegistry());
    const { endpoint, accessKey: accessKeyId, secretKey: secretAccessKey } = inject('radosgw');
    const client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    const Key = 'team/alpha/.uploads/5f1b';
    await client.send(new CreateMultipartUploadCommand({ Bucket: made.bucket, Key }));
    client.destroy();
    const before = await stateOf(store);
    await expect(runMigration(store)).rejects.toThrow(
      /Multipart uploads are under way \(1\): team\/alpha\/.uploads\/5f1b/,
    );
    expect(await stateOf(store)).toEqual(before);
    expect(await ownKeys(store)).toEqual([]);
  });
});

describe('a bucket that a real zot wrote, on a real S3 server', () => {
  let views: TreeView[] = [];
  beforeAll(() => {
    views = [];
  });
  afterAll(async () => {
    await Promise.all(views.map((view) => view.close()));
  });

  /** Every repository's index and every blob of it, as a mount that is new shows them. */
  async function viewOf(url: string): Promise<Record<string, string>> {
    const view = await TreeView.open(url);
    views.push(view);
    const seen: Record<string, string> = {};
    for (const name of await view.repositories()) {
      seen[name] = (await view.read(`${name}/index.json`)).toString();
      for (const algorithm of await view.list(`${name}/blobs`)) {
        for (const encoded of await view.list(`${name}/blobs/${algorithm}`)) {
          const path = `${name}/blobs/${algorithm}/${encoded}`;
          seen[path] = await view.outcome(path);
        }
      }
    }
    return seen;
  }

  test.each(['S1', 'S5', 'S9'] as const)(
    '%s goes to the shared layout and back, and shows the same',
    async (state) => {
      const unpacked = await unpackZotState(state);
      const keys = await readKeys(unpacked.directory);
      await unpacked.remove();
      const root = 'zot/zot/';
      const moved = new Map(
        // These have a repository called "storage", which cannot be migrated.
        [...keys].map(([key, body]) => [key.replace(`${root}storage/`, `${root}warehouse/`), body]),
      );
      if (moved.has(`${root}warehouse/index.json`)) {
        const original = await open(await makeS3Bucket(keys));
        await expect(runMigration(original, 'shared', { root })).rejects.toThrow(/"storage"/);
      }
      const made = await makeS3Bucket(moved);
      const store = await open(made);
      const before = await stateOf(store, root);
      const view = await viewOf(made.url);
      expect(Object.keys(view).length).toBeGreaterThan(50);
      const { finished, skipped } = await runMigration(store, 'shared', { root });
      expect(finished).toBe(true);
      expect(skipped).toHaveLength(state === 'S9' ? 7 : 0);
      const after = await stateOf(store, root);
      const scattered = Object.keys(after).filter(
        (key) => /\/blobs\/sha\d+\//.test(key) && !key.startsWith('storage/'),
      );
      if (state !== 'S9') expect(scattered).toEqual([]);
      expect(await viewOf(made.url)).toEqual(view);
      await runRollback(store, { root });
      expect(await stateOf(store, root)).toEqual(before);
      expect(await viewOf(made.url)).toEqual(view);
    },
  );
});
