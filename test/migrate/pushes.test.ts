import { afterEach, describe, expect, test } from 'vitest';
import { QuickBucket } from './support/local-state.js';
import { NoRun, runMigration, runRollback } from './support/runs.js';
import {
  alpha,
  beta,
  blobOf,
  config,
  documentsOf,
  keyOf,
  layerA,
  layerB,
  lost,
  manifestOf,
  orphan,
  soundRegistry,
  type Blob,
} from './support/small-registry.js';

let bucket: QuickBucket;
afterEach(() => {
  bucket.remove();
});

async function migrated(): Promise<Record<string, string>> {
  bucket = await QuickBucket.make(soundRegistry());
  const before = bucket.state();
  await runMigration(bucket.store);
  return before;
}

async function put(objects: Record<string, string | Buffer>): Promise<void> {
  for (const [key, body] of Object.entries(objects)) {
    await bucket.store.put(key, Buffer.from(body));
  }
}

const described = ({ bytes, digest }: Blob): string => `${bytes.length} ${digest.slice(7)}`;

/** Push an image as a registry of the shared layout does. */
async function push(name: string, tags: readonly Blob[], blobs: readonly Blob[]): Promise<void> {
  for (const blob of blobs) await put({ [keyOf('storage', blob)]: blob.bytes });
  await put(documentsOf(name, tags));
}

describe('a rollback after pushes', () => {
  const layer = blobOf('a new layer');
  const image = manifestOf(config, [layer, layerB]);

  test('gives the new images to their repositories, and all else is as before', async () => {
    const before = await migrated();
    await push('team/alpha', [alpha, image], [layer, image]);
    await push('brand/new', [image, beta], []);
    const report = await runRollback(bucket.store);
    // An image that refers to what was lost before.
    expect(report).toMatchObject({ finished: true, skipped: [{ digest: lost.digest }] });
    const pushed = Object.entries({
      ...documentsOf('team/alpha', [alpha, image]),
      ...documentsOf('brand/new', [image, beta]),
    }).map(([key, text]) => [key, described(blobOf(text))]);
    const given = [
      ['team/alpha', [image, layer]],
      ['brand/new', [image, layer, config, layerB, beta, layerA]],
    ] as const;
    const after = bucket.state();
    expect(after).toMatchObject({ ...before, ...Object.fromEntries(pushed) });
    for (const [name, blobs] of given) {
      for (const blob of blobs) expect(after[keyOf(name, blob)]).toBe(described(blob));
    }
    const left = Object.keys(after).filter((key) => key.startsWith('storage/'));
    expect(left).toEqual(Object.keys(before).filter((key) => key.startsWith('storage/')));
  });

  test('leaves what nobody refers to where it is', async () => {
    const before = await migrated();
    await put({ [keyOf('storage', layer)]: layer.bytes });
    await runRollback(bucket.store);
    expect(bucket.state()).toEqual({ ...before, [keyOf('storage', layer)]: described(layer) });
  });

  test('does not bring back what was deleted from the registry', async () => {
    const before = await migrated();
    await bucket.store.delete(keyOf('storage', orphan));
    const { finished, skipped, plan } = await runRollback(bucket.store);
    expect({ finished, skipped }).toEqual({ finished: true, skipped: [] });
    expect(plan.warnings).toEqual([expect.stringContaining('do not come back (1)')]);
    const { [keyOf('zulu', orphan)]: gone, ...rest } = before;
    expect(gone).toBe(described(orphan));
    expect(bucket.state()).toEqual(rest);
  });

  test('says what is lost, and returns the rest', async () => {
    const before = await migrated();
    await push('team/alpha', [alpha, image], [layer, image]);
    await bucket.store.delete(keyOf('storage', layerA));
    const { skipped } = await runRollback(bucket.store);
    expect(skipped).toMatchObject([{ digest: layerA.digest }]);
    expect(bucket.state()[keyOf('team/beta', beta)]).toBe(before[keyOf('team/beta', beta)]);
  });
});

describe('several runs', () => {
  test('are taken back newest first, each exactly', async () => {
    const before = await migrated();
    const shared = bucket.state();
    const { run = '' } = await runMigration(bucket.store, 'per-repository');
    expect(bucket.state()).not.toEqual(shared);
    expect((await runRollback(bucket.store)).run).toBe(run);
    expect(bucket.state()).toEqual(shared);
    await runRollback(bucket.store);
    expect(bucket.state()).toEqual(before);
    await expect(runRollback(bucket.store)).rejects.toThrow(NoRun);
  });
});

test('after a migration by closure every image can be read from its own repository', async () => {
  const before = await migrated();
  await runMigration(bucket.store, 'per-repository');
  const after = bucket.state();
  const had = [...bucket.digests()];
  for (const blob of [config, layerA, layerB, alpha]) {
    for (const name of ['team/alpha', 'team/beta']) {
      expect(after[keyOf(name, blob)]).toBe(described(blob));
    }
  }
  expect(had).toContain(orphan.digest);
  expect(Object.keys(before).length).toBeGreaterThan(10);
});
