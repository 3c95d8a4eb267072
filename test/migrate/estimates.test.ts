import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import type { Layout } from '../../src/migrate/journal/format.js';
import { requestCount } from '../../src/migrate/run/requests.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { CrashingStore, Killed } from './support/crashing-store.js';
import { QuickBucket } from './support/local-state.js';
import { runMigration, runRollback } from './support/runs.js';
import { soundRegistry } from './support/small-registry.js';

let buckets: QuickBucket[] = [];
afterEach(() => {
  for (const bucket of buckets) bucket.remove();
  buckets = [];
});

async function bucket(): Promise<QuickBucket> {
  const made = await QuickBucket.make(soundRegistry());
  buckets.push(made);
  return made;
}

/** Run, and compare what the store was asked with what the plan said, kind by kind. */
async function expectAsPlanned(
  store: WritableObjectStore,
  run: (store: WritableObjectStore) => ReturnType<typeof runMigration>,
): Promise<void> {
  const seen = new CrashingStore(store);
  const { plan, requests } = await run(seen.store);
  expect(requestCount(requests)).toBe(seen.asked.length);
  const planned = requestCount(plan.requests);
  const difference = Math.abs(planned - seen.asked.length);
  expect(difference, JSON.stringify([plan.requests, requests])).toBeLessThanOrEqual(
    seen.asked.length * 0.05,
  );
  expect(Math.abs(plan.requests.bytesRead - requests.bytesRead)).toBeLessThanOrEqual(
    // Journals that are read are small, and so is everything here.
    4000,
  );
}

describe('the requests of a plan', () => {
  test.each<[Layout]>([['shared'], ['per-repository']])(
    'to %s, and of taking it back',
    async (to) => {
      const { store } = await bucket();
      await expectAsPlanned(store, (seen) => runMigration(seen, to));
      await expectAsPlanned(store, (seen) => runRollback(seen));
      // Of what is rolled back nothing is left to do, and a second migration is as the first.
      await expectAsPlanned(store, (seen) => runMigration(seen, to));
      await expectAsPlanned(store, (seen) => runMigration(seen, to));
    },
  );

  test.each([[0.3], [0.6], [0.9]])('of a run that was cut off after %f of it', async (share) => {
    const whole = new CrashingStore((await bucket()).store);
    await runMigration(whole.store);
    const { store } = await bucket();
    const at = Math.floor(whole.asked.length * share);
    const killed = new CrashingStore(store, { at, done: true });
    await expect(runMigration(killed.store)).rejects.toThrow(Killed);
    await expectAsPlanned(store, (seen) => runMigration(seen));
  });

  test('tell what a rollback will cost before the migration, about', async () => {
    const { store } = await bucket();
    const { plan } = await runMigration(store);
    const { requests } = await runRollback(store);
    const told = plan.rollback === undefined ? 0 : requestCount(plan.rollback);
    expect(Math.abs(told - requestCount(requests))).toBeLessThan(requestCount(requests) * 0.15);
  });
});

test('1,000 repositories with 20,000 blobs and 80,000 placeholders are planned in 300 MiB', async () => {
  const script = join(import.meta.dirname, 'support/plan-large.mjs');
  const hooks = join(import.meta.dirname, '../support/typescript-threads.mjs');
  const args = ['--import', hooks, script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const told = JSON.parse(stdout) as Record<
    'keys' | 'lists' | 'others' | 'digests' | 'mebibytes',
    number
  >;
  expect(told.keys).toBe(102_000);
  expect(told.lists).toBe(Math.ceil(told.keys / 1000));
  // A look at the multipart uploads.
  expect(told.others).toBe(1);
  expect(told.digests).toBe(20_000);
  expect(told.mebibytes).toBeLessThan(300);
});
