import { afterEach, describe, expect, test } from 'vitest';
import { LOCK_KEY, LockedError, thisProcess } from '../../src/migrate/journal/lock.js';
import { InUseError } from '../../src/migrate/plan/life.js';
import { StoreError } from '../../src/store/errors.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { CrashingStore, Killed } from './support/crashing-store.js';
import { QuickBucket } from './support/local-state.js';
import { runMigration, runRollback } from './support/runs.js';
import {
  blobOf,
  documentsOf,
  keyOf,
  layerA,
  layerB,
  smallRegistry,
  soundRegistry,
} from './support/small-registry.js';

let buckets: QuickBucket[] = [];
afterEach(() => {
  for (const bucket of buckets) bucket.remove();
  buckets = [];
});

function keep(bucket: QuickBucket): QuickBucket {
  buckets.push(bucket);
  return bucket;
}

const another = (): Buffer => Buffer.from(JSON.stringify(thisProcess('another')));

describe('two operators', () => {
  test('who begin at any moment of each other lose nothing, and can go back', async () => {
    const before = keep(await QuickBucket.make(soundRegistry()));
    const whole = keep(before.clone());
    const counted = new CrashingStore(whole.store);
    await runMigration(counted.store);
    const expected = whole.state();
    const ends = new Set<string>();
    for (let at = 1; at <= counted.asked.length; at += 1) {
      const bucket = before.clone();
      try {
        const first = new CrashingStore(bucket.store);
        const attempt = (store: WritableObjectStore = bucket.store) =>
          runMigration(store, 'shared', { takeOver: false }).then(
            () => 'done',
            (error: unknown) => {
              if (error instanceof LockedError || error instanceof InUseError) return error.name;
              throw error;
            },
          );
        let second = '';
        first.beforeRequest = async () => {
          if (first.asked.length === at) second = await attempt();
        };
        ends.add(`${await attempt(first.store)} ${second}`);
        expect(bucket.digests(), `at ${at}`).toEqual(before.digests());
        await runMigration(bucket.store);
        expect(bucket.state(), `at ${at}`).toEqual(expected);
        await runRollback(bucket.store);
        expect(bucket.state(), `at ${at}`).toEqual(before.state());
      } finally {
        bucket.remove();
      }
    }
    // Before the first has the bucket, while it has, and when it is through.
    expect([...ends].sort()).toEqual(['InUseError done', 'done LockedError', 'done done']);
  });

  test('one who takes the lock over stops the other before it deletes', async () => {
    const bucket = keep(await QuickBucket.make(soundRegistry()));
    const had = bucket.digests();
    const seen = new CrashingStore(bucket.store);
    seen.afterWrite = async ({ verb }) => {
      if (verb === 'copy') await bucket.store.put(LOCK_KEY, another());
    };
    const run = runMigration(seen.store);
    await expect(run).rejects.toThrow(LockedError);
    await expect(run).rejects.toThrow(/was taken over .* Nothing was deleted here/);
    expect(seen.asked.filter(({ verb }) => verb === 'deleteMany')).toEqual([]);
    expect(bucket.digests()).toEqual(had);
    // It is the other's lock, so it stays.
    await expect(runMigration(bucket.store, 'shared', { takeOver: false })).rejects.toThrow(
      LockedError,
    );
    expect((await runMigration(bucket.store)).finished).toBe(true);
  });

  test('one who takes the lock over between copying and deleting stops the other, too', async () => {
    // More than one batch: before the first one is deleted the bucket is looked at anyway.
    const blobs = Array.from({ length: 520 }, (_, number) => blobOf(`blob ${number}`));
    const objects = blobs.map((blob) => [keyOf('a', blob), blob.bytes] as const);
    const made = { ...documentsOf('a', []), ...Object.fromEntries(objects) };
    const bucket = keep(await QuickBucket.make(made));
    const before = bucket.state();
    const seen = new CrashingStore(bucket.store);
    seen.afterWrite = async ({ keys }) => {
      if (keys[0]?.endsWith('/progress-000002.jsonl.gz') === true) await runRollback(bucket.store);
    };
    const run = runMigration(seen.store);
    await expect(run).rejects.toThrow(LockedError);
    await expect(run).rejects.toThrow(/was taken over .* Nothing more is deleted here/);
    expect(bucket.state()).toEqual(before);
  });

  test('a lock of other processes under the same host name is not taken over by itself', async () => {
    const bucket = keep(await QuickBucket.make(soundRegistry()));
    const gone = { ...thisProcess('gone'), pid: 2 ** 22 + 1 };
    for (const among of ['another boot pid:[1]', undefined]) {
      await bucket.store.put(LOCK_KEY, Buffer.from(JSON.stringify({ ...gone, among })));
      const run = runMigration(bucket.store, 'shared', { takeOver: false });
      await expect(run).rejects.toThrow(/--take-over/);
    }
    await bucket.store.put(LOCK_KEY, Buffer.from(JSON.stringify(gone)));
    const { finished } = await runMigration(bucket.store, 'shared', { takeOver: false });
    expect(finished).toBe(true);
  });
});

describe('a rollback', () => {
  test('that may not read an object is not through, and goes on when it may', async () => {
    const bucket = keep(await QuickBucket.make(soundRegistry()));
    const before = bucket.state();
    await runMigration(bucket.store);
    const denied = new CrashingStore(bucket.store);
    denied.beforeRequest = ({ verb, keys }) => {
      if (verb !== 'copy' || keys[0] !== keyOf('storage', layerA)) return;
      throw new StoreError('AccessDenied', 'Not this one.');
    };
    const report = await runRollback(denied.store);
    expect(report.finished).toBe(false);
    expect(report.skipped).toEqual([
      { digest: layerA.digest, reason: 'Not this one.', passing: true },
    ]);
    expect((await runRollback(bucket.store)).finished).toBe(true);
    expect(bucket.state()).toEqual(before);
  });

  test('gives up the copies in parts in which it was cut off, and no others', async () => {
    const bucket = keep(await QuickBucket.make(soundRegistry()));
    const before = bucket.state();
    await runMigration(bucket.store);
    const counted = new CrashingStore(keep(bucket.clone()).store);
    await runRollback(counted.store);
    const given: string[] = [];
    const store = {
      ...new CrashingStore(bucket.store).store,
      uploads: () => Promise.resolve([{ key: keyOf('team/alpha', layerA), id: 'half' }]),
      abortUpload: ({ id }: { id: string }) => Promise.resolve(void given.push(id)),
    };
    await expect(runRollback(store)).rejects.toThrow(/Multipart uploads are under way \(1\)/);
    const at = counted.asked.findIndex(({ verb }) => verb === 'copy') + 1;
    const killed = new CrashingStore(bucket.store, { at, done: false });
    await expect(runRollback(killed.store)).rejects.toThrow(Killed);
    expect(given).toEqual([]);
    const { finished, plan, requests } = await runRollback(store);
    expect(finished).toBe(true);
    expect(given).toEqual(['half']);
    expect(requests.delete).toBe(plan.requests.delete);
    expect(bucket.state()).toEqual(before);
  });

  test('cut off anywhere, then another migration, and all is taken back', async () => {
    const before = keep(await QuickBucket.make(smallRegistry()));
    const whole = keep(before.clone());
    await runMigration(whole.store);
    const counted = new CrashingStore(whole.store);
    await runRollback(counted.store);
    for (let at = 1; at < counted.asked.length; at += 3) {
      const bucket = before.clone();
      try {
        await runMigration(bucket.store);
        const killed = new CrashingStore(bucket.store, { at, done: true });
        await expect(runRollback(killed.store)).rejects.toThrow(Killed);
        const half = bucket.state();
        const { run } = await runMigration(bucket.store);
        const back = await runRollback(bucket.store);
        if (run === back.run && run?.startsWith('0002') === true) {
          expect(bucket.state(), `at ${at}`).toEqual(half);
          await runRollback(bucket.store);
        }
        expect(bucket.state(), `at ${at}`).toEqual(before.state());
      } finally {
        bucket.remove();
      }
    }
  });
});

test('a copy that is emptied while the bucket is listed costs nothing', async () => {
  const bucket = keep(await QuickBucket.make(soundRegistry()));
  const had = bucket.digests();
  let pages = 0;
  const store = {
    ...new CrashingStore(bucket.store).store,
    list: async (options: Parameters<typeof bucket.store.list>[0]) => {
      const page = await bucket.store.list({ ...options, limit: 2 });
      pages += 1;
      // What a restart of zot does to all but the first copy.
      if (page.objects.some(({ key }) => key === keyOf('team/alpha', layerB))) {
        await bucket.store.put(keyOf('team/alpha', layerB), new Uint8Array());
      }
      return page;
    },
  };
  await runMigration(store);
  expect(pages).toBeGreaterThan(10);
  expect(bucket.digests()).toEqual(had);
  await runMigration(bucket.store);
  expect(bucket.digests()).toEqual(had);
  const left = Object.keys(bucket.state()).filter((key) => key.endsWith(layerB.digest.slice(7)));
  expect(left).toEqual([keyOf('storage', layerB)]);
});
