import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { mountLayoutfs } from '../support/mount.js';
import { CrashingStore, Killed } from './support/crashing-store.js';
import { QuickBucket } from './support/local-state.js';
import { whileRead } from './support/mount-readers.js';
import { NoRun, runMigration, runRollback } from './support/runs.js';
import { blobOf, config, documentsOf, keyOf, manifestOf } from './support/small-registry.js';

let bucket: QuickBucket | undefined;
afterEach(() => {
  bucket?.remove();
  bucket = undefined;
});

/** Much less than what is read, so that the store is asked all the time. */
const ARGUMENTS = ['--refresh', '100ms', '--memory', '8MiB', '--transport', 'kernel'];
const LAYER_BYTES = 2.5 * 2 ** 20;
const LAYERS = 4;

/** Two repositories with the same image, whose blobs are in every state that a migration begins from. */
function imageOfLargeLayers(): Record<string, Buffer> {
  const layers = Array.from({ length: LAYERS }, (_, layer) =>
    blobOf(`layer ${layer} `.repeat(LAYER_BYTES / 8)),
  );
  const image = manifestOf(config, layers);
  const keys: Record<string, Buffer> = {};
  for (const name of ['team/one', 'team/two']) {
    for (const [key, text] of Object.entries(documentsOf(name, [image]))) {
      keys[key] = Buffer.from(text);
    }
  }
  for (const [position, blob] of [...layers, image, config].entries()) {
    const [one, two] = [keyOf('team/one', blob), keyOf('team/two', blob)];
    const states: Record<string, Buffer>[] = [
      { [one]: blob.bytes, [two]: Buffer.alloc(0) },
      { [one]: Buffer.alloc(0), [two]: blob.bytes },
      { [one]: blob.bytes, [two]: blob.bytes },
      { [keyOf('storage', blob)]: blob.bytes, [two]: blob.bytes },
      { [keyOf('_blobstore', blob)]: blob.bytes },
    ];
    Object.assign(keys, states[position % states.length]);
  }
  return keys;
}

const BLOBS_IN_ALL = 2 * (LAYERS + 2);

type Run = (store: WritableObjectStore) => Promise<unknown>;

/** Kill `run` after one request, and go on with it. @returns false: it had no such request */
async function killAndGoOn(
  run: Run,
  store: WritableObjectStore,
  at: number,
  meanwhile: () => Promise<void>,
): Promise<boolean> {
  try {
    await run(new CrashingStore(store, { at, done: true }).store);
    return false;
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  }
  await meanwhile();
  await run(store).catch((error: unknown) => {
    // It was killed when it had nothing more to do than to give the lock back.
    if (!(error instanceof NoRun)) throw error;
  });
  return true;
}

/** How many requests a migration and its rollback take that nobody kills. */
async function requestsOf(bucket: QuickBucket, runs: readonly Run[]): Promise<number[]> {
  const copy = bucket.clone();
  const counts: number[] = [];
  try {
    for (const run of runs) {
      const counted = new CrashingStore(copy.store);
      await run(counted.store);
      counts.push(counted.asked.length);
    }
    return counts;
  } finally {
    copy.remove();
  }
}

describe('a mount whose bucket is migrated and rolled back', () => {
  test('shows the same while both are killed after each of their requests and gone on with', async () => {
    const killed = (bucket = await QuickBucket.make(imageOfLargeLayers()));
    const before = killed.state();
    const runs: [Run, Run] = [
      (store) => runMigration(store, 'shared'),
      (store) => runRollback(store),
    ];
    const requests = await requestsOf(killed, runs);
    const kills = [0, 0];
    const mount = await mountLayoutfs(killed.directory, { arguments: ARGUMENTS });
    const { blobs, rounds, mapped, wrong } = await whileRead(
      mount.mountpoint,
      async (wholeRound) => {
        for (let at = 1; at <= Math.max(...requests); at += 1) {
          for (const [position, run] of runs.entries()) {
            const wasKilled = await killAndGoOn(run, killed.store, at, wholeRound);
            kills[position] = (kills[position] ?? 0) + Number(wasKilled);
          }
          expect(killed.state(), `killed after request ${at}`).toEqual(before);
          // So that the next ones take as many requests.
          rmSync(join(killed.directory, '_layoutfs'), { recursive: true });
        }
      },
    );
    expect(wrong).toEqual([]);
    expect(blobs).toBe(rounds * BLOBS_IN_ALL);
    expect(mapped).toBeGreaterThan(BLOBS_IN_ALL);
    expect(kills).toEqual(requests);
    expect(Math.min(...kills)).toBeGreaterThan(20);
    // Blobs were found again at other places, and not read from memory alone.
    const { counters } = await mount.status();
    expect(counters['blobs.fromShared']).toBeGreaterThan(10);
    expect(counters['blobs.fromRepository'] + counters['blobs.fromOther']).toBeGreaterThan(10);
    expect(counters['blobs.mismatch']).toBe(0);
    await mount.unmount();
  }, 240_000);
});
