import { afterEach, describe, expect, test } from 'vitest';
import { LockedError, thisProcess } from '../../src/migrate/journal/lock.js';
import { InUseError } from '../../src/migrate/plan/life.js';
import { RefusedError } from '../../src/migrate/act.js';
import { StoreError } from '../../src/store/errors.js';
import { CrashingStore, Killed } from './support/crashing-store.js';
import { QuickBucket } from './support/local-state.js';
import { plan, runMigration, runRollback } from './support/runs.js';
import {
  documentsOf,
  keyOf,
  layerA,
  lost,
  manifestOf,
  config,
  smallRegistry,
  soundRegistry,
} from './support/small-registry.js';

let buckets: QuickBucket[] = [];
afterEach(() => {
  for (const bucket of buckets) bucket.remove();
  buckets = [];
});

async function bucket(more: Record<string, string | Buffer> = {}): Promise<QuickBucket> {
  const made = await QuickBucket.make({ ...soundRegistry(), ...more });
  buckets.push(made);
  return made;
}

/** Nothing is written, and the reason is told. */
async function expectRefusal(
  { store }: QuickBucket,
  reason: RegExp,
  to: 'shared' | 'per-repository' = 'shared',
): Promise<void> {
  const seen = new CrashingStore(store);
  await expect(runMigration(seen.store, to)).rejects.toThrow(reason);
  const wrote = seen.asked.filter(({ verb }) => /put|copy|delete/i.test(verb));
  expect(wrote).toEqual([]);
}

describe('nothing is moved', () => {
  test.each([['storage'], ['storage/blobs'], ['storage/blobs/sha256']])(
    'where a repository is called %s',
    async (name) => {
      const image = manifestOf(config, [layerA]);
      const made = await bucket({
        ...documentsOf(name, [image]),
        [keyOf(name, image)]: image.bytes,
      });
      await expectRefusal(made, new RegExp(`The repository "${name}" lies where`));
      await expectRefusal(made, /Rename it first/, 'per-repository');
    },
  );

  test('while an upload is stored, unless the operator knows that it is none', async () => {
    const made = await bucket({ 'team/alpha/.uploads/8a6e': 'half a layer' });
    await expectRefusal(made, /Objects of uploads or syncs are stored \(1, .*--ignore-uploads/);
    expect((await runMigration(made.store, 'shared', { ignoreUploads: true })).finished).toBe(true);
    expect(made.state()).toHaveProperty('team/alpha/.uploads/8a6e');
  });

  test('while a multipart upload is under way', async () => {
    const made = await bucket();
    const { store } = new CrashingStore(made.store);
    const uploading = {
      ...store,
      uploads: () => Promise.resolve([{ key: 'team/alpha/.uploads/1', id: '1' }]),
    };
    await expect(runMigration(uploading)).rejects.toThrow(/Multipart uploads are under way \(1\)/);
  });

  test('where a repository cannot be read and needs its blobs', async () => {
    const made = await bucket({ 'zulu/index.json': '{' });
    await expectRefusal(made, /The index.json of zulu cannot be read/, 'per-repository');
    expect((await plan(made.store, 'shared')).blockers).toEqual([]);
  });

  test('while another run holds the bucket', async () => {
    const made = await bucket();
    const owner = { ...thisProcess('other'), host: 'another-host' };
    await made.store.put('_layoutfs/lock.json', Buffer.from(JSON.stringify(owner)));
    const before = made.state();
    const run = runMigration(made.store, 'shared', { takeOver: false });
    await expect(run).rejects.toThrow(LockedError);
    await expect(run).rejects.toThrow(/another-host .*--take-over/);
    expect(made.state()).toEqual(before);
    // A process of this host that is gone holds nothing.
    const gone = { ...thisProcess('gone'), pid: 2 ** 22 + 1 };
    await made.store.put('_layoutfs/lock.json', Buffer.from(JSON.stringify(gone)));
    expect((await runMigration(made.store, 'shared', { takeOver: false })).finished).toBe(true);
  });

  test('when another run came between the look and the act', async () => {
    const made = await bucket();
    const late = new CrashingStore(made.store);
    let first = true;
    late.beforeRequest = async ({ verb }) => {
      if (verb !== 'put' || !first) return;
      first = false;
      await runMigration(made.store);
    };
    const had = made.digests();
    await expect(runMigration(late.store)).rejects.toThrow(/Another run .* Nothing was moved/);
    expect(made.digests()).toEqual(had);
    await runRollback(made.store);
  });

  test('to another layout while a run is unfinished, or is being taken back', async () => {
    const made = await bucket();
    const other = made.clone();
    buckets.push(other);
    const whole = new CrashingStore(other.store);
    await runMigration(whole.store);
    const at = whole.asked.findIndex(({ verb }) => verb === 'deleteMany') + 1;
    const killed = new CrashingStore(made.store, { at, done: true });
    await expect(runMigration(killed.store)).rejects.toThrow(Killed);
    await expectRefusal(
      made,
      /to shared did not finish: finish it with --to shared/,
      'per-repository',
    );
    const halfBack = new CrashingStore(made.store);
    halfBack.beforeRequest = ({ verb }) => {
      if (verb === 'deleteMany') throw new Killed('Killed.');
    };
    await expect(runRollback(halfBack.store)).rejects.toThrow(Killed);
    await expectRefusal(made, /is being taken back/);
    await runRollback(made.store);
  });

  test('with a journal of another format, or without a part of it', async () => {
    const made = await bucket();
    const { run = '' } = await runMigration(made.store);
    const begin = `_layoutfs/${run}/begin.json`;
    const segment = `_layoutfs/${run}/former-000001.jsonl.gz`;
    const before = made.state();
    await made.store.put(begin, Buffer.from('{"format":2}'));
    await expect(runRollback(made.store)).rejects.toThrow(/use the version of layoutfs that wrote/);
    const other = await bucket();
    const second = await runMigration(other.store);
    await other.store.delete(segment.replace(run, second.run ?? ''));
    await expect(runRollback(other.store)).rejects.toThrow(/lacks 1 of its segments/);
    expect(made.state()).toEqual(before);
  });

  test('where deleting is not allowed', async () => {
    const made = await bucket();
    const before = made.state();
    const denied = new CrashingStore(made.store);
    denied.beforeRequest = ({ verb, keys }) => {
      if (verb === 'delete') throw new StoreError('AccessDenied', `No delete of ${keys.join()}.`);
    };
    const run = runMigration(denied.store);
    await expect(run).rejects.toThrow(RefusedError);
    await expect(run).rejects.toThrow(/may not write or not delete/);
    expect(made.state()).toEqual(before);
  });
});

describe('a run stops', () => {
  test('when an image is pushed before it deletes, and goes on when it is told to', async () => {
    const made = await bucket();
    const had = made.digests();
    const image = manifestOf(config, [layerA]);
    const seen = new CrashingStore(made.store);
    seen.afterWrite = async ({ verb }) => {
      if (verb !== 'copy') return;
      const [, index = ''] = Object.values(documentsOf('team/alpha', [image]));
      await made.store.put('team/alpha/index.json', Buffer.from(index));
    };
    const run = runMigration(seen.store);
    await expect(run).rejects.toThrow(InUseError);
    await expect(run).rejects.toThrow(/index.json of team\/alpha changed .* Nothing was deleted/);
    expect(seen.asked.filter(({ verb }) => verb === 'deleteMany')).toEqual([]);
    expect(made.digests()).toEqual(had);
    const { finished, plan: second } = await runMigration(made.store);
    expect(finished).toBe(true);
    expect(second.resumes).toBeDefined();
    expect(made.digests()).toEqual(had);
  });

  test('where some keys may not be deleted, and is finished when they may', async () => {
    const made = await bucket();
    const had = made.digests();
    const denied = new CrashingStore(made.store);
    const store = {
      ...denied.store,
      deleteMany: async (keys: readonly string[]) => {
        const locked = keys.filter((key) => key.startsWith('team/beta/'));
        await made.store.deleteMany(keys.filter((key) => !locked.includes(key)));
        const error = new StoreError('AccessDenied', 'Not this one.');
        return locked.map((key) => ({ key, error }));
      },
    };
    const report = await runMigration(store);
    expect(report.finished).toBe(false);
    expect(report.refused.length).toBeGreaterThan(3);
    expect(made.digests()).toEqual(had);
    expect((await runMigration(made.store)).finished).toBe(true);
    const whole = await bucket();
    await runMigration(whole.store);
    expect(made.state()).toEqual(whole.state());
  });
});

test('a digest of which only placeholders are stored stays as it is, and is named', async () => {
  const made = await QuickBucket.make(smallRegistry());
  buckets.push(made);
  const { totals } = await plan(made.store, 'shared');
  expect(totals.skipped).toEqual([
    { digest: lost.digest, reason: expect.stringContaining('only placeholders') as string },
  ]);
});
