import { afterEach, describe, expect, test } from 'vitest';
import type { Layout } from '../../src/migrate/journal/format.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { CrashingStore, Killed, type Asked } from './support/crashing-store.js';
import { QuickBucket } from './support/local-state.js';
import { NoRun, runMigration, runRollback } from './support/runs.js';
import { smallRegistry } from './support/small-registry.js';

const READING = ['list', 'get', 'head', 'uploads'];

/** What is killed, and then run again. */
type Run = (store: WritableObjectStore) => Promise<unknown>;

let buckets: QuickBucket[] = [];
afterEach(() => {
  for (const bucket of buckets) bucket.remove();
  buckets = [];
});

function keep(bucket: QuickBucket): QuickBucket {
  buckets.push(bucket);
  return bucket;
}

/** Run as often as it takes for nothing to be left to do. */
async function again(run: Run, store: WritableObjectStore): Promise<void> {
  await run(store).catch((error: unknown) => {
    if (!(error instanceof NoRun)) throw error;
  });
}

/**
 * Kill `run` at each request in turn, before and after the store has done it, run it again, and
 * compare with a run that nobody killed. After every request that changes something each digest must
 * have its bytes somewhere.
 * @returns the requests of the run that nobody killed
 */
async function killEverywhere(before: QuickBucket, run: Run): Promise<number> {
  const had = before.digests();
  const whole = keep(before.clone());
  const counted = new CrashingStore(whole.store);
  await run(counted.store);
  const expected = whole.state();
  for (const [position, { verb }] of counted.asked.entries()) {
    const at = position + 1;
    // Of a request that changes nothing one end is as good as the other.
    for (const done of READING.includes(verb) ? [true] : [false, true]) {
      const bucket = keep(before.clone());
      const where = `killed ${done ? 'after' : 'before'} request ${at}`;
      const check = ({ verb, keys }: Asked): void => {
        const has = bucket.digests();
        const missing = [...had].filter((digest) => !has.has(digest));
        expect(missing, `${where}, at ${verb} ${keys.join(' ')}`).toEqual([]);
      };
      const first = new CrashingStore(bucket.store, { at, done });
      first.afterWrite = check;
      await expect(run(first.store), where).rejects.toThrow(Killed);
      const second = new CrashingStore(bucket.store);
      second.afterWrite = check;
      await again(run, second.store);
      expect(bucket.state(), where).toEqual(expected);
      buckets.pop()?.remove();
    }
  }
  return counted.asked.length;
}

const migrateTo =
  (to: Layout): Run =>
  (store) =>
    runMigration(store, to);

describe('killed at any request and run again', () => {
  test.each<[Layout]>([['shared'], ['per-repository']])(
    'a migration to %s ends as if nothing had happened',
    async (to) => {
      const before = keep(await QuickBucket.make(smallRegistry()));
      expect(await killEverywhere(before, migrateTo(to))).toBeGreaterThan(30);
    },
  );

  test.each<[Layout]>([['shared'], ['per-repository']])(
    'the rollback of a migration to %s ends as if nothing had happened',
    async (to) => {
      const before = keep(await QuickBucket.make(smallRegistry()));
      await migrateTo(to)(before.store);
      expect(await killEverywhere(before, runRollback)).toBeGreaterThan(30);
    },
  );

  test.each<[Layout]>([['shared'], ['per-repository']])(
    'a migration to %s is taken back from wherever it was killed',
    async (to) => {
      const before = keep(await QuickBucket.make(smallRegistry()));
      const counted = new CrashingStore(keep(before.clone()).store);
      await migrateTo(to)(counted.store);
      for (let at = 1; at <= counted.asked.length; at += 1) {
        const bucket = keep(before.clone());
        const killed = new CrashingStore(bucket.store, { at, done: true });
        await expect(migrateTo(to)(killed.store)).rejects.toThrow(Killed);
        await again(runRollback, bucket.store);
        expect(bucket.state(), `killed after request ${at}`).toEqual(before.state());
        buckets.pop()?.remove();
      }
    },
  );
});
