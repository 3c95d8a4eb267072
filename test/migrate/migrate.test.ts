import { describe, expect, onTestFinished, test } from 'vitest';
import { localBucket } from '../support/local-bucket.js';
import { digestsWithContent, ownKeys, stateOf } from './support/bucket-state.js';
import { CrashingStore } from './support/crashing-store.js';
import { runMigration, runRollback, plan } from './support/runs.js';
import { requestCount } from '../../src/migrate/run/requests.js';
import {
  alpha,
  doubtful,
  flipped,
  keyOf,
  lost,
  orphan,
  smallRegistry,
  spoilt,
  type Blob,
} from './support/small-registry.js';

async function bucket(objects: Record<string, string | Buffer> = smallRegistry()) {
  const made = await localBucket(objects);
  onTestFinished(() => made.remove());
  return made.store;
}

const at = (state: Record<string, string>, blob: Blob): string[] =>
  Object.keys(state)
    .filter((key) => key.endsWith(blob.digest.slice(blob.digest.indexOf(':') + 1)))
    .map((key) => key.slice(0, key.indexOf('/blobs/')));

describe('a migration to the shared layout', () => {
  test('brings every digest into storage/blobs and leaves no copy elsewhere', async () => {
    const store = await bucket();
    const before = await digestsWithContent(store);
    const report = await runMigration(store);
    expect(report.finished).toBe(true);
    const after = await stateOf(store);
    for (const blob of [alpha, orphan]) expect(at(after, blob)).toEqual(['storage']);
    expect(await digestsWithContent(store)).toEqual(before);
    expect(after).not.toHaveProperty('_global_blobstore_migrated');
    expect(after).toHaveProperty('_restore_complete');
    expect(after).toHaveProperty('team/alpha/.note');
    // What has no right copy stays, and so does a wrong copy of what has one.
    expect(at(after, lost)).toEqual(['team/beta']);
    expect(at(after, spoilt)).toEqual(['team/beta']);
    expect(at(after, doubtful)).toEqual(['storage', 'team/alpha']);
    expect(report.skipped.map(({ digest }) => digest).sort()).toEqual(
      [lost.digest, spoilt.digest].sort(),
    );
    expect(report.kept).toEqual([{ key: keyOf('team/alpha', doubtful) }]);
  });

  test('is taken back exactly', async () => {
    const store = await bucket();
    const before = await stateOf(store);
    await runMigration(store);
    expect(await stateOf(store)).not.toEqual(before);
    const report = await runRollback(store);
    expect(report.finished).toBe(true);
    expect(report.skipped).toEqual([]);
    expect(await stateOf(store)).toEqual(before);
    const own = await ownKeys(store);
    expect(own.filter((key) => key.endsWith('.json'))).toHaveLength(3);
    expect(own.every((key) => /^_layoutfs\/0001-\d{8}T\d{6}Z\/[\w-]+\.json/.test(key))).toBe(true);
  });

  test('does nothing the second time', async () => {
    const store = await bucket();
    await runMigration(store);
    const before = await stateOf(store);
    const again = await runMigration(store);
    expect(again).toMatchObject({ changes: 0, finished: true });
    expect(await stateOf(store)).toEqual(before);
    // The run that did something is still the one to take back.
    expect((await runRollback(store)).changes).toBeGreaterThan(0);
    await expect(runRollback(store)).rejects.toThrow('no run');
  });

  test('writes nothing while it only plans', async () => {
    const store = await bucket();
    const seen = new CrashingStore(store);
    const { totals, requests } = await plan(seen.store, 'shared');
    expect(new Set(seen.asked.map(({ verb }) => verb))).toEqual(new Set(['list', 'uploads']));
    expect(totals.digests).toBeGreaterThan(5);
    expect(requestCount(requests)).toBeGreaterThan(totals.digests);
  });
});

describe('a migration to per-repository copies', () => {
  test('gives every repository all that it refers to', async () => {
    const store = await bucket();
    const before = await stateOf(store);
    const had = await digestsWithContent(store);
    const report = await runMigration(store, 'per-repository');
    expect(report.finished).toBe(true);
    const after = await stateOf(store);
    expect(at(after, alpha).sort()).toEqual(['team/alpha', 'team/beta']);
    expect(await digestsWithContent(store)).toEqual(had);
    expect(Object.keys(after).filter((key) => /^(storage|_blobstore)\//.test(key))).toEqual([]);
    expect(after[keyOf('team/alpha', doubtful)]).toBe(before[keyOf('team/alpha', doubtful)]);
    expect(flipped(doubtful)).toHaveLength(doubtful.bytes.length);
    await runRollback(store);
    expect(await stateOf(store)).toEqual(before);
  });
});
