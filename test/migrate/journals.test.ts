import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { readWhole } from '../../src/migrate/journal/read-whole.js';
import { QuickBucket } from './support/local-state.js';
import { runMigration, runRollback } from './support/runs.js';
import { layerA, soundRegistry } from './support/small-registry.js';

let bucket: QuickBucket;
afterEach(() => {
  bucket.remove();
});

/** A migrated bucket, and where its journal is. */
async function migrated(): Promise<{ run: string; state: Record<string, string> }> {
  bucket = await QuickBucket.make(soundRegistry());
  const { run = '' } = await runMigration(bucket.store);
  return { run: `_layoutfs/${run}/`, state: bucket.state() };
}

async function change(key: string, how: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await readWhole(bucket.store, key);
  if (bytes === undefined) throw new Error(`There is no ${key}.`);
  await bucket.store.put(key, how(bytes));
}

const addLine = (line: object) => (bytes: Buffer) =>
  gzipSync(`${String(gunzipSync(bytes))}${JSON.stringify(line)}\n`);

const blob = layerA.digest;
const formerly = { blob, content: [], placeholders: [], to: [], remove: [] };

describe('a journal that is not as it was written', () => {
  test.each<[string, string, (bytes: Buffer) => Buffer, RegExp]>([
    ['cut off', 'former-000001.jsonl.gz', (all) => all.subarray(0, -20), /is damaged/],
    ['empty', 'former-000001.jsonl.gz', () => Buffer.alloc(0), /is damaged|cannot be read/],
    [
      'damaged',
      'progress-000001.jsonl.gz',
      (all) => Buffer.concat([all.subarray(0, 40), Buffer.from('?!'), all.subarray(42)]),
      /is damaged|cannot be read/,
    ],
    ['no gzip', 'progress-000001.jsonl.gz', () => Buffer.from('[]'), /is damaged/],
    ['no JSON', 'begin.json', (all) => all.subarray(0, 30), /cannot be read: not JSON/],
    [
      'about directories above the bucket',
      'former-000001.jsonl.gz',
      addLine({ ...formerly, content: [['../../elsewhere', 800]] }),
      /cannot be read/,
    ],
    [
      'about an object that is no marker',
      'former-000001.jsonl.gz',
      addLine({ object: 'team/alpha/index.json', body: '' }),
      /cannot be read/,
    ],
  ])('%s: nothing is changed', async (_, name, how, message) => {
    const { run, state } = await migrated();
    await change(run + name, how);
    await expect(runRollback(bucket.store)).rejects.toThrow(message);
    expect(bucket.state()).toEqual(state);
  });

  test('of somebody else, who did not finish: nothing is changed', async () => {
    bucket = await QuickBucket.make(soundRegistry());
    const state = bucket.state();
    await bucket.store.put('_layoutfs/notes/begin.json', Buffer.from('{"hello": "world"}'));
    for (const act of [runMigration, runRollback]) {
      await expect(act(bucket.store)).rejects.toThrow(/_layoutfs\/notes\/begin.json .* cannot be/);
    }
    expect(bucket.state()).toEqual(state);
  });

  test('other objects beside journals disturb nobody', async () => {
    bucket = await QuickBucket.make(soundRegistry());
    const state = bucket.state();
    for (const name of ['README', 'notes/todo.txt', '0009/former-1.txt']) {
      await bucket.store.put(`_layoutfs/${name}`, Buffer.from('?'));
    }
    await runMigration(bucket.store);
    await runRollback(bucket.store);
    expect(bucket.state()).toEqual(state);
  });
});
