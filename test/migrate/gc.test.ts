import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import {
  collect,
  type CollectOptions,
  type Collected,
  planCollection,
} from '../../src/migrate/gc/collect.js';
import type { CollectionReport } from '../../src/migrate/gc/report.js';
import { OCI_MANIFEST } from '../../src/oci/media-types.js';
import { openStore } from '../../src/store/open.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { unpackZotState, ZOT_STATES } from '../fixtures/unpack.js';
import { readKeys } from '../images/upload.js';
import { localBucket, type LocalBucket } from '../support/local-bucket.js';
import { QUICK_DIRECTORY } from '../support/quick-directory.js';
import { openForTest } from '../support/registries.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { testTerminal } from '../support/test-terminal.js';
import { BucketBuilder, keyOf, sha256 } from './support/bucket-builder.js';
import { contentsOf, digestIn, digestsWithBytes } from './support/contents.js';
import { MortalStore } from './support/mortal-store.js';
import { makeS3Bucket } from './support/s3-buckets.js';

let stateDir: string;
beforeAll(async () => {
  stateDir = await makeTemporaryDirectory('gc');
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

const ACT = ['--apply', '--registry-stopped'];

async function run(...words: string[]) {
  const terminal = testTerminal(process.env);
  const code = await runProgram(['gc', '--state-dir', stateDir, ...words], terminal);
  return { code, ...terminal.written };
}

async function gc(...words: string[]): Promise<{ code: number; report: CollectionReport }> {
  const { code, out, err } = await run('--json', ...words);
  expect(err).toBe('');
  return { code, report: JSON.parse(out) as CollectionReport };
}

async function withBucket(
  { objects }: BucketBuilder,
  work: (bucket: LocalBucket) => Promise<void>,
): Promise<void> {
  const bucket = await localBucket(objects, QUICK_DIRECTORY);
  try {
    await work(bucket);
  } finally {
    await bucket.remove();
  }
}

/** Plan and delete, by the parts that the command is made of. */
async function collectAll(
  store: WritableObjectStore,
  options: Partial<CollectOptions> & { afterPlan?: () => Promise<void> } = {},
): Promise<Collected[]> {
  const registry = await openForTest(store, { kind: 'zot' });
  const all = { concurrency: 2, ignoreUploads: false, takeOver: true, ...options };
  const areas = registry.areas.map((area) => ({ area, store }));
  const plan = await planCollection(areas, all);
  expect(plan.blockers).toEqual([]);
  await options.afterPlan?.();
  const done: Collected[] = [];
  for (const area of plan.areas) done.push(await collect(area, all));
  return done;
}

/** Two repositories that share an image, and garbage of every kind. */
function bucketWithGarbage(): { bucket: BucketBuilder; garbage: string[] } {
  const bucket = new BucketBuilder();
  const image = bucket.image('b', 'one', 'two');
  for (const key of Object.keys(bucket.objects)) bucket.objects[key.replace('b/', 'a/')] = '';
  bucket.repository('a', { v1: image });
  bucket.repository('b', { v1: image });
  const before = new Set(Object.keys(bucket.objects));
  bucket.image('a', 'old');
  bucket.placeholder('a', bucket.blob('b', 'older'));
  bucket.placeholder('a', sha256('lost'));
  bucket.placeholder('b', sha256('lost'));
  bucket.blob('_blobstore', 'oldest');
  const garbage = Object.keys(bucket.objects).filter((key) => !before.has(key));
  return { bucket, garbage };
}

describe('buckets of a real zot', () => {
  it.each(ZOT_STATES)('%s: deletes what no index reaches, and nothing else', async (state) => {
    const unpacked = await unpackZotState(state, QUICK_DIRECTORY);
    try {
      const { expected, directory } = unpacked;
      const stores = [
        { url: directory, store: await openStore({ kind: 'file', root: directory, prefix: '' }) },
      ];
      if (state !== 'S4') {
        const { source, url } = await makeS3Bucket(await readKeys(directory));
        stores.push({ url, store: await openStore(source) });
      }
      const reached = new Set(
        Object.values(expected).flatMap(({ sizes, foreign }) => [
          ...Object.keys(sizes),
          ...foreign,
        ]),
      );
      // A push to S4 was cut off once.
      const left = state === 'S4' ? ['--ignore-uploads'] : [];
      if (state === 'S4') expect((await gc(directory)).report.blockers).toHaveLength(1);
      for (const { url, store } of stores) {
        const before = await contentsOf(store);
        const plan = await gc(...left, url);
        expect(plan.code).toBe(0);
        expect(plan.report.blockers).toEqual([]);
        expect(await contentsOf(store)).toEqual(before);
        const { code, report } = await gc(...ACT, ...left, url);
        expect(code).toBe(0);
        expect(report.done).toMatchObject({
          objects: plan.report.objects,
          changed: [],
          refused: [],
        });
        const after = await contentsOf(store);
        const kept = [...before].filter(([key]) => {
          const digest = digestIn(key);
          return digest === undefined || reached.has(digest);
        });
        expect(after).toEqual(new Map(kept));
        expect(before.size - after.size).toBe(report.objects);
        expect((await gc(...ACT, ...left, url)).report.objects).toBe(0);
      }
    } finally {
      await unpacked.remove();
    }
  });
});

describe('keeps', () => {
  it('the only bytes of a digest in a repository that needs them no more', async () => {
    const { bucket } = bucketWithGarbage();
    // Now "a" needs what only "b" has, and "b" needs nothing.
    bucket.repository('b', {});
    await withBucket(bucket, async ({ store }) => {
      await collectAll(store);
      const after = await contentsOf(store);
      expect(after.get(keyOf('b', sha256('one')))).toBe('one');
      expect(after.get(keyOf('a', sha256('one')))).toBe('');
    });
  });

  it('what an index reaches that makes no repository', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('a', {});
    bucket.repository('half', { v1: bucket.image('half', 'one') });
    bucket.drop('half/oci-layout');
    await withBucket(bucket, async ({ store }) => {
      expect(await collectAll(store)).toMatchObject([{ objects: 0 }]);
    });
  });

  it('what is all that is left of a repository that lost its index', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('a', {});
    bucket.image('lost', 'one');
    bucket.blob('a', 'one');
    await withBucket(bucket, async ({ directory }) => {
      const { report } = await gc(...ACT, directory);
      expect(report).toMatchObject({ objects: 0, kept: { incomplete: 4 } });
    });
  });

  it('what another store of the same registry refers to', async () => {
    const { bucket } = bucketWithGarbage();
    const other = new BucketBuilder();
    other.repository('c', { v1: other.image('c', 'old') });
    const stored = await localBucket(other.objects);
    try {
      await withBucket(bucket, async ({ store }) => {
        const registries = [
          await openForTest(store, { kind: 'zot' }),
          await openForTest(stored.store, { kind: 'zot' }),
        ];
        const stores = [store, stored.store];
        const areas = registries.flatMap(({ areas: [area] }, position) => {
          const writable = stores[position];
          return area === undefined || writable === undefined ? [] : [{ area, store: writable }];
        });
        const plan = await planCollection(areas, { concurrency: 2, ignoreUploads: false });
        const found = plan.areas.flatMap(({ digests }) => digests.map(({ digest }) => digest));
        expect(found).not.toContain(sha256('old'));
        expect(found).toContain(sha256('older'));
      });
    } finally {
      await stored.remove();
    }
  });

  it('keys that are no blobs', async () => {
    const { bucket, garbage } = bucketWithGarbage();
    const strange = ['a/blobs/sha256/short', 'stray', 'a/blobs/note.txt', 'cache.db', '_x/y'];
    for (const key of strange) bucket.objects[key] = 'x';
    await withBucket(bucket, async ({ store }) => {
      const before = await contentsOf(store);
      await collectAll(store);
      const after = await contentsOf(store);
      expect([...before.keys()].filter((key) => !after.has(key)).sort()).toEqual(garbage.sort());
    });
  });

  it('the blobs of plain layouts that share a directory', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('r', { v1: bucket.image('r', 'one') });
    for (const [key, body] of Object.entries(bucket.objects)) {
      if (!key.startsWith('r/blobs/')) continue;
      bucket.objects[key.replace('r/blobs/', 'shared/')] = body;
      bucket.drop(key);
    }
    bucket.objects[`shared/${sha256('old').replace(':', '/')}`] = 'old';
    await withBucket(bucket, async ({ directory, store }) => {
      const plain = ['--registry', 'plain', '--shared-blob-dir', 'shared'];
      const { report } = await gc(...plain, ...ACT, directory);
      expect(report.garbage.map(({ digest }) => digest)).toEqual([sha256('old')]);
      expect((await contentsOf(store)).size).toBe(Object.keys(bucket.objects).length - 1);
    });
  });
});

describe('deletes nothing', () => {
  it.each<[string, RegExp, (bucket: BucketBuilder) => void]>([
    ['an index.json is broken', /a cannot be read/, (b) => (b.objects['a/index.json'] = '{')],
    [
      'an index.json that makes no repository is broken',
      /x\/y cannot be read/,
      (b) => (b.objects['x/y/index.json'] = '{'),
    ],
    [
      'a manifest is lost',
      /The manifest sha256:[0-9a-f]+ of c is lost/,
      (b) => {
        const image = b.image('c', 'three');
        b.repository('c', { v1: image }).placeholder('c', image.digest);
      },
    ],
    [
      'a manifest is corrupt',
      /of c may need more than is known/,
      (b) => {
        const image = b.image('c', 'three');
        b.repository('c', { v1: image }).objects[keyOf('c', image.digest)] = '{}';
      },
    ],
    [
      'an index lists what is no manifest that is known',
      /index.json of c may need more/,
      (b) => b.repository('c', { v1: { mediaType: 'x/y', digest: sha256('?'), size: 1 } }),
    ],
    [
      'a manifest has malformed entries',
      /of c may need more than is known: It has 1 entries/,
      (b) => {
        const text = JSON.stringify({ layers: [{ digest: sha256('one') }] });
        b.repository('c', { v1: b.document('c', OCI_MANIFEST, text) });
      },
    ],
    [
      'a migration is half done',
      /The migration 20261124T000000Z-a is not finished/,
      (b) => (b.objects['_layoutfs/20261124T000000Z-a/begin.json'] = '{}'),
    ],
    ['an upload is under way', /a\/\.uploads\/u/, (b) => (b.objects['a/.uploads/u'] = 'part')],
  ])('when %s', async (_, message, harm) => {
    const { bucket } = bucketWithGarbage();
    harm(bucket);
    await withBucket(bucket, async ({ store, directory }) => {
      const before = await contentsOf(store);
      const { code, report } = await gc(...ACT, directory);
      expect(code).toBe(1);
      expect(report.blockers).toEqual([expect.stringMatching(message)]);
      expect(report).toMatchObject({ objects: 0, garbage: [] });
      expect(report.done).toBeUndefined();
      expect(await contentsOf(store)).toEqual(before);
    });
  });

  it('without saying first that a migration could still be taken back', async () => {
    const { bucket } = bucketWithGarbage();
    const journal = '_layoutfs/0001-20261124T000000Z/';
    for (const name of ['begin', 'end']) bucket.objects[`${journal}${name}.json`] = '{}';
    await withBucket(bucket, async ({ directory, store }) => {
      const { code, report } = await gc(directory);
      expect(code).toBe(0);
      expect(report.warnings).toEqual([expect.stringContaining('0001-20261124T000000Z can still')]);
      expect((await run(directory)).out).toMatch(
        /^! The migration 0001-.* can still be taken back/m,
      );
      await store.put(`${journal}rolled-back.json`, Buffer.from('{}'));
      expect((await gc(directory)).report.warnings).toEqual([]);
    });
  });

  it.each<[string, RegExp, (bucket: BucketBuilder) => [string, string]]>([
    [
      'an index changes',
      /The index.json of a changed/,
      (b) => ['a/index.json', (b.objects['a/index.json'] ?? '').replace('v1', 'v2')],
    ],
    ['a repository comes', /The index.json of new changed/, () => ['new/index.json', '{}']],
    ['an upload begins', /\.uploads\/u/, () => ['b/.uploads/u', 'x']],
  ])('when %s after the plan', async (_, message, change) => {
    const { bucket } = bucketWithGarbage();
    await withBucket(bucket, async ({ store }) => {
      const [key, text] = change(bucket);
      const afterPlan = async () => {
        await store.put(key, Buffer.from(text));
      };
      await expect(collectAll(store, { afterPlan })).rejects.toThrow(message);
      const after = await contentsOf(store);
      expect([...after.keys()].sort()).toEqual(
        [...new Set([...Object.keys(bucket.objects), key])].sort(),
      );
    });
  });

  it('of a digest that gets another object, or other bytes, after the plan', async () => {
    const { bucket, garbage } = bucketWithGarbage();
    const [older, old] = [sha256('older'), sha256('old')];
    await withBucket(bucket, async ({ store }) => {
      const afterPlan = async () => {
        await store.put(keyOf('c', older), Buffer.from('older'));
        await store.put(keyOf('a', old), Buffer.from('olD'));
      };
      const [done] = await collectAll(store, { afterPlan });
      const kept = [keyOf('a', older), keyOf('b', older), keyOf('a', old)];
      expect(done?.changed.toSorted()).toEqual(kept.sort());
      expect(done?.objects).toBe(garbage.length - kept.length);
      const after = await contentsOf(store);
      expect(kept.every((key) => after.has(key))).toBe(true);
    });
  });

  it('more once an index changes in the middle', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('a', {});
    await withBucket(bucket, async ({ store, directory }) => {
      // By hand: the store makes sure of each one on the disk, which takes long for so many.
      await mkdir(join(directory, 'a/blobs/sha256'), { recursive: true });
      for (let number = 0; number < 1500; number += 1) {
        await writeFile(join(directory, keyOf('a', sha256(`old ${number}`))), `old ${number}`);
      }
      const changing = new MortalStore(store);
      changing.before = async (verb) => {
        if (verb === 'deleteMany') await store.put('a/index.json', Buffer.from('{"manifests":[]}'));
      };
      const [done] = await collectAll(changing, { lookEveryMs: 0 });
      expect(done).toMatchObject({ objects: 1000 });
      expect(done?.stopped).toMatch(/The index.json of a changed/);
      expect((await contentsOf(store)).size).toBe(2 + 500);
    });
  });

  it('without the word that the registry is stopped, or for some repositories', async () => {
    const { bucket } = bucketWithGarbage();
    await withBucket(bucket, async ({ directory }) => {
      expect(await run('--apply', directory)).toMatchObject({ code: 2 });
      expect(await run('--include', 'a', directory)).toMatchObject({ code: 2 });
    });
  });

  it('from a store that may not be deleted from, and says so', async () => {
    const { bucket, garbage } = bucketWithGarbage();
    const { source, url, deny } = await makeS3Bucket(Object.entries(bucket.objects));
    await deny(['s3:DeleteObject'], 'a/');
    await deny(['s3:DeleteObject'], '');
    const store = await openStore(source);
    const before = await contentsOf(store);
    const { code } = await run(...ACT, url);
    expect(code).toBe(1);
    expect(await contentsOf(store)).toEqual(before);
    expect(garbage.every((key) => before.has(key))).toBe(true);
  });
});

describe('killed after every request in turn and run again', () => {
  it.each([true, false])(
    'ends as if nothing had happened (the last one arrives: %s)',
    async (lastOneArrives) => {
      const { bucket, garbage } = bucketWithGarbage();
      const whole = new Map(Object.entries(bucket.objects));
      const kept = new Map([...whole].filter(([key]) => !garbage.includes(key)));
      let total = 0;
      await withBucket(bucket, async ({ store }) => {
        const mortal = new MortalStore(store);
        await collectAll(mortal);
        total = mortal.requests;
        expect(await contentsOf(store)).toEqual(kept);
      });
      expect(total).toBeGreaterThan(10);
      for (let after = 0; after < total; after += 1) {
        await withBucket(bucket, async ({ store }) => {
          const mortal = new MortalStore(store, { after, lastOneArrives });
          await expect(collectAll(mortal)).rejects.toThrow('killed');
          const left = await contentsOf(store);
          for (const [key, text] of kept) expect(left.get(key)).toBe(text);
          // No placeholder of garbage stands alone that did not before.
          const bytes = digestsWithBytes(left);
          for (const [key, text] of left) {
            const digest = digestIn(key);
            if (text === '' && digest !== sha256('lost'))
              expect(bytes.has(digest ?? '')).toBe(true);
          }
          await collectAll(store);
          expect(await contentsOf(store)).toEqual(kept);
        });
      }
    },
  );

  it('on a real S3 server', async () => {
    const { bucket, garbage } = bucketWithGarbage();
    const { source } = await makeS3Bucket(Object.entries(bucket.objects));
    const store = await openStore(source);
    for (let after = 5; ; after += 1) {
      const mortal = new MortalStore(store, { after, lastOneArrives: after % 2 === 0 });
      const outcome = await collectAll(mortal).then(() => 'done', String);
      const left = await contentsOf(store);
      for (const [key, text] of Object.entries(bucket.objects)) {
        if (!garbage.includes(key)) expect(left.get(key)).toBe(text);
      }
      if (outcome === 'done') {
        expect(left.size).toBe(Object.keys(bucket.objects).length - garbage.length);
        break;
      }
      expect(outcome).toContain('killed');
      expect(after).toBeLessThan(60);
    }
  });
});

describe('the report', () => {
  it('for people says what, how much, and what to type', async () => {
    const { bucket, garbage } = bucketWithGarbage();
    await withBucket(bucket, async ({ directory }) => {
      const { code, out } = await run(directory);
      expect(code).toBe(0);
      expect(out).toContain(`! ${garbage.length} objects of `);
      for (const key of garbage) expect(out).toContain(`    ${key}  `);
      expect(out).toContain(`layoutfs gc file://${directory} --apply --registry-stopped\n`);
      const { out: done } = await run(...ACT, directory);
      expect(done).toContain(`Deleted ${garbage.length} objects of `);
      expect((await run(directory)).out).toContain('There is nothing to delete.\n');
    });
  });
});
