import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import type { CheckReport } from '../../src/migrate/check/report.js';
import { applyRepair, planRepair, type RepairOptions } from '../../src/migrate/repair/repair.js';
import type { RepairReport } from '../../src/migrate/repair/report.js';
import { requestCount } from '../../src/migrate/run/requests.js';
import type { WritableObjectStore } from '../../src/store/object-store.js';
import { openStore } from '../../src/store/open.js';
import { unpackZotState, type ZotState } from '../fixtures/unpack.js';
import { readKeys } from '../images/upload.js';
import { localBucket, type LocalBucket } from '../support/local-bucket.js';
import { QUICK_DIRECTORY } from '../support/quick-directory.js';
import { openForTest } from '../support/registries.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { testTerminal } from '../support/test-terminal.js';
import { BucketBuilder, keyOf, sha256 } from './support/bucket-builder.js';
import { contentsOf, digestsWithBytes, rebuiltByZot } from './support/contents.js';
import { MortalStore } from './support/mortal-store.js';
import { makeS3Bucket } from './support/s3-buckets.js';

let stateDir: string;
beforeAll(async () => {
  stateDir = await makeTemporaryDirectory('repair');
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

const ACT = ['--apply', '--registry-stopped'];

async function run(command: string, ...words: string[]) {
  const terminal = testTerminal(process.env);
  const code = await runProgram([command, '--state-dir', stateDir, ...words], terminal);
  return { code, ...terminal.written };
}

interface Reports {
  readonly repair: RepairReport;
  readonly check: CheckReport;
}

async function json<Name extends keyof Reports>(
  command: Name,
  ...words: string[]
): Promise<{ code: number; report: Reports[Name] }> {
  const { code, out, err } = await run(command, '--json', ...words);
  expect(err).toBe('');
  return { code, report: JSON.parse(out) as Reports[Name] };
}

/** A fixture on both kinds of store. */
async function onEachStore(
  state: ZotState,
  work: (url: string, store: WritableObjectStore) => Promise<void>,
): Promise<void> {
  const unpacked = await unpackZotState(state, QUICK_DIRECTORY);
  try {
    const { source, url } = await makeS3Bucket(await readKeys(unpacked.directory));
    await work(url, await openStore(source));
    const local = await openStore({ kind: 'file', root: unpacked.directory, prefix: '' });
    await work(unpacked.directory, local);
  } finally {
    await unpacked.remove();
  }
}

async function withBucket(
  objects: Readonly<Record<string, string>>,
  work: (bucket: LocalBucket) => Promise<void>,
): Promise<void> {
  const bucket = await localBucket(objects, QUICK_DIRECTORY);
  try {
    await work(bucket);
  } finally {
    await bucket.remove();
  }
}

async function repair(
  store: WritableObjectStore,
  options: Partial<Parameters<typeof applyRepair>[1]> = {},
) {
  const registry = await openForTest(store, { kind: 'zot' });
  const [area] = registry.areas;
  if (area === undefined) throw new Error('There is no area.');
  const all = {
    store,
    protect: false,
    accepts: () => true,
    concurrency: 2,
    ignoreUploads: false,
    takeOver: true,
    ...options,
  } satisfies RepairOptions & object;
  const plan = await planRepair(area, all);
  return { plan, done: await applyRepair(plan, all) };
}

describe('buckets of a real zot', () => {
  it('--protect keeps all that a restart of that zot would empty', async () => {
    const lostByRestart = (contents: ReadonlyMap<string, string>) => {
      const after = digestsWithBytes(rebuiltByZot(contents));
      return [...digestsWithBytes(contents)].filter((digest) => !after.has(digest)).sort();
    };
    const seen = await unpackZotState('S9');
    const emptied = new Set(Object.values(seen.expected).flatMap(({ lost }) => lost));
    await seen.remove();
    await onEachStore('S1', async (url, store) => {
      const before = await contentsOf(store);
      expect(lostByRestart(before)).toEqual([...emptied].sort());
      const plan = await json('repair', '--protect', url);
      expect(plan.code).toBe(0);
      expect(plan.report.plan).toMatchObject({ digests: 7, objects: 7 });
      expect(await contentsOf(store)).toEqual(before);
      const done = await json('repair', '--protect', ...ACT, url);
      expect(done.report.done).toMatchObject({ filled: 7, skipped: [] });
      const after = await contentsOf(store);
      expect(lostByRestart(after)).toEqual([]);
      const changed = [...after].filter(([key, text]) => before.get(key) !== text);
      expect(changed.map(([key]) => key).sort()).toEqual(
        plan.report.copies.flatMap(({ to }) => to).sort(),
      );
      expect(after.size).toBe(before.size);
      const { report } = await json('check', url);
      expect(report.warnings.atRisk).toEqual([]);
    });
  });

  it('placeholders that are needed get their bytes, and nothing else changes', async () => {
    await onEachStore('S1', async (url, store) => {
      const before = await contentsOf(store);
      const { code, report } = await json('repair', ...ACT, url);
      expect(code).toBe(0);
      expect(report.done).toMatchObject({ filled: 39, bytes: report.plan.bytes, skipped: [] });
      const after = await contentsOf(store);
      const targets = report.copies.flatMap(({ to }) => to);
      for (const [key, text] of before) {
        if (targets.includes(key)) expect(after.get(key)?.length).toBeGreaterThan(0);
        else expect(after.get(key)).toBe(text);
      }
      expect(after.size).toBe(before.size);
      const { report: checked } = await json('check', '--read-data', url);
      expect(checked).toMatchObject({ verdict: 'sound', notes: { resolvedPlaceholders: 0 } });
      const again = await json('repair', ...ACT, url);
      expect(again.report.done).toMatchObject({ filled: 0, requests: { put: 0, delete: 0 } });
    });
  });

  it('what is lost for good is named, and the rest refilled', async () => {
    await onEachStore('S9', async (url) => {
      const plan = await json('repair', url);
      expect(plan.code).toBe(1);
      expect(plan.report.lost).toHaveLength(7);
      const { code, report } = await json('repair', ...ACT, url);
      expect(code).toBe(1);
      expect(report.done).toMatchObject({ filled: report.plan.objects, skipped: [] });
      const { report: checked } = await json('check', url);
      expect(checked.damage.unresolved).toHaveLength(7);
      expect(checked.notes.resolvedPlaceholders).toBe(0);
    });
  });

  it('takes as many requests as the plan says', async () => {
    await onEachStore('S1', async (url) => {
      const { report } = await json('repair', ...ACT, url);
      const { requests } = report.plan.cost;
      const actual = report.done?.requests;
      if (actual === undefined) throw new Error('Nothing was done.');
      expect(Math.abs(requestCount(actual) / requestCount(requests) - 1)).toBeLessThan(0.05);
      expect(actual.put).toBe(requests.put);
      expect(actual.bytesRead / requests.bytesRead).toBeCloseTo(1, 1);
    });
  });
});

/** Three repositories of which only the last one has bytes. */
function dedupedBucket(): BucketBuilder {
  const bucket = new BucketBuilder();
  const image = bucket.image('c', 'one', 'two');
  for (const name of ['a', 'b', 'c']) bucket.repository(name, { v1: image });
  for (const key of Object.keys(bucket.objects)) {
    if (!key.startsWith('c/blobs/')) continue;
    bucket.objects[key.replace('c/', 'a/')] = '';
    bucket.objects[key.replace('c/', 'b/')] = '';
  }
  return bucket;
}

const one = sha256('one');

describe('a source', () => {
  it('that is corrupt is never copied; another one is', async () => {
    const bucket = dedupedBucket();
    bucket.blob('b', 'one', 'eno');
    bucket.repository('b', {});
    await withBucket(bucket.objects, async ({ store }) => {
      const wrong: string[] = [];
      const watched = new MortalStore(store);
      watched.before = async () => {
        if ((await contentsOf(store)).get(keyOf('a', one)) === 'eno') wrong.push('a');
      };
      const { done } = await repair(watched);
      expect(done.skipped).toEqual([]);
      expect((await contentsOf(store)).get(keyOf('a', one))).toBe('one');
      expect(wrong).toEqual([]);
    });
  });

  it('that is corrupt and the only one changes nothing', async () => {
    const bucket = dedupedBucket();
    bucket.blob('c', 'one', 'eno');
    await withBucket(bucket.objects, async ({ store, directory }) => {
      const { code, report } = await json('repair', ...ACT, directory);
      expect(code).toBe(1);
      expect(report.done?.skipped.map(({ key, reason }) => [key, reason])).toEqual(
        ['a', 'b'].map((name) => [
          keyOf(name, one),
          'No object that should have the bytes has them: it is lost.',
        ]),
      );
      const after = await contentsOf(store);
      expect([after.get(keyOf('a', one)), after.get(keyOf('c', one))]).toEqual(['', 'eno']);
    });
  });

  it('that changes between reading and copying leaves no wrong copy behind', async () => {
    await withBucket(dedupedBucket().objects, async ({ store }) => {
      const before = await contentsOf(store);
      const changing = new MortalStore(store);
      changing.before = async (verb, key) => {
        if (verb === 'copy' && key === keyOf('a', one)) {
          await store.put(keyOf('c', one), Buffer.from('eno'));
        }
      };
      const { done } = await repair(changing, { concurrency: 1 });
      expect(done.skipped.map(({ key }) => key)).toEqual([keyOf('a', one), keyOf('b', one)]);
      const after = await contentsOf(store);
      expect(after.get(keyOf('a', one))).toBe(before.get(keyOf('a', one)));
    });
  });
});

describe('a target', () => {
  it('that changes before its turn is left alone', async () => {
    await withBucket(dedupedBucket().objects, async ({ store }) => {
      const two = sha256('two');
      const changing = new MortalStore(store);
      changing.before = async (verb, key) => {
        if (verb !== 'head') return;
        if (key === keyOf('a', one)) await store.put(key, Buffer.from('newer'));
        if (key === keyOf('b', two)) await store.delete(key);
      };
      const { done } = await repair(changing);
      expect(done.already).toEqual([keyOf('a', one)]);
      expect(done.skipped).toMatchObject([{ key: keyOf('b', two) }]);
      const after = await contentsOf(store);
      expect(after.get(keyOf('a', one))).toBe('newer');
      expect(after.has(keyOf('b', two))).toBe(false);
    });
  });

  it('may be absent: bytes come to where readers look', async () => {
    const bucket = dedupedBucket();
    bucket.drop(keyOf('a', one));
    await withBucket(bucket.objects, async ({ store, directory }) => {
      expect((await run('check', directory)).code).toBe(1);
      expect((await repair(store)).done.filled).toContain(keyOf('a', one));
      expect((await run('check', directory)).code).toBe(0);
    });
  });

  it('is the empty object that all repositories share, where there is one', async () => {
    const bucket = dedupedBucket();
    bucket.placeholder('_blobstore', one);
    await withBucket(bucket.objects, async ({ store }) => {
      const { done } = await repair(store);
      const filled = done.filled.filter((key) => key.endsWith(one.slice(7)));
      expect(filled).toEqual([keyOf('_blobstore', one)]);
    });
  });

  it('lies in the shared directory where registries use one', async () => {
    const bucket = dedupedBucket();
    bucket.blob('_blobstore', 'other');
    bucket.drop(keyOf('a', one));
    bucket.drop(keyOf('b', one));
    await withBucket(bucket.objects, async ({ store }) => {
      const { done } = await repair(store);
      expect(done.filled.filter((key) => key.endsWith(one.slice(7)))).toEqual([
        keyOf('_blobstore', one),
      ]);
    });
  });

  it('is chosen by repository', async () => {
    await withBucket(dedupedBucket().objects, async ({ directory }) => {
      const { report } = await json('repair', directory, 'b');
      expect(report.copies.flatMap(({ to }) => to).every((key) => key.startsWith('b/'))).toBe(true);
      expect(report.plan.objects).toBe(4);
      // What is pasted does no more than what was shown.
      const { out } = await run('repair', directory, 'b', '--exclude', 'a*');
      expect(out).toMatch(/repair file:\S+ b --exclude 'a\*' --apply --registry-stopped$/m);
      expect((await run('repair', directory, 'nowhere')).err).toContain('no repository "nowhere"');
    });
  });
});

describe('killed after every request in turn and run again', () => {
  it.each([true, false])(
    'ends as if nothing had happened (the last one arrives: %s)',
    async (lastOneArrives) => {
      const { objects } = dedupedBucket();
      let expected: Map<string, string> | undefined;
      let total = 0;
      await withBucket(objects, async ({ store }) => {
        const mortal = new MortalStore(store);
        await repair(mortal);
        total = mortal.requests;
        expected = await contentsOf(store);
      });
      expect(total).toBeGreaterThan(30);
      for (let after = 0; after < total; after += 1) {
        await withBucket(objects, async ({ store }) => {
          const before = digestsWithBytes(await contentsOf(store));
          const mortal = new MortalStore(store, { after, lastOneArrives });
          await expect(repair(mortal)).rejects.toThrow('killed');
          const left = await contentsOf(store);
          expect(digestsWithBytes(left)).toEqual(before);
          for (const [key, text] of left)
            expect([objects[key], expected?.get(key)]).toContain(text);
          await repair(store);
          expect(await contentsOf(store)).toEqual(expected);
        });
      }
    },
  );

  it('on a real S3 server', async () => {
    const { objects } = dedupedBucket();
    const { source } = await makeS3Bucket(Object.entries(objects));
    const store = await openStore(source);
    const before = digestsWithBytes(await contentsOf(store));
    // Each death leaves less to do; until one run comes through.
    for (let after = 4; ; after += 2) {
      const mortal = new MortalStore(store, { after, lastOneArrives: after % 4 === 0 });
      const outcome = await repair(mortal).then(
        () => 'done',
        (error: unknown) => String(error),
      );
      expect(digestsWithBytes(await contentsOf(store))).toEqual(before);
      if (outcome === 'done') break;
      expect(outcome).toContain('killed');
      expect(after).toBeLessThan(100);
    }
    const local = await localBucket(objects);
    try {
      await repair(local.store);
      expect(await contentsOf(store)).toEqual(await contentsOf(local.store));
    } finally {
      await local.remove();
    }
  });
});

describe('is refused', () => {
  it('without the word that the registry is stopped', async () => {
    await withBucket(dedupedBucket().objects, async ({ directory }) => {
      const { code, err } = await run('repair', '--apply', directory);
      expect(code).toBe(2);
      expect(err).toContain('--registry-stopped');
    });
  });

  it('while an upload is there, unless it was left by a crash', async () => {
    const { objects } = dedupedBucket();
    await withBucket({ ...objects, 'a/.uploads/u1': 'part' }, async ({ store, directory }) => {
      const before = await contentsOf(store);
      const { code, err } = await run('repair', ...ACT, directory);
      expect(code).toBe(1);
      expect(err).toContain('a/.uploads/u1');
      expect(await contentsOf(store)).toEqual(before);
      expect((await run('repair', ...ACT, '--ignore-uploads', directory)).code).toBe(0);
    });
  });

  it('while a migration is half done', async () => {
    const { objects } = dedupedBucket();
    const journal = { '_layoutfs/20261124T000000Z-a/begin.json': '{}' };
    await withBucket({ ...objects, ...journal }, async ({ store, directory }) => {
      const before = await contentsOf(store);
      const { code, err } = await run('repair', ...ACT, directory);
      expect(code).toBe(1);
      expect(err).toContain('20261124T000000Z-a is not finished');
      expect(await contentsOf(store)).toEqual(before);
    });
  });

  it('while another command has the bucket', async () => {
    await withBucket(dedupedBucket().objects, async ({ store, directory }) => {
      const owner = { run: 'x', host: 'elsewhere', pid: 1, since: '2026-01-01T00:00:00Z' };
      await store.put('_layoutfs/lock.json', Buffer.from(JSON.stringify(owner)));
      const { code, err } = await run('repair', ...ACT, directory);
      expect(code).toBe(1);
      expect(err).toContain('elsewhere');
      expect((await run('repair', ...ACT, '--take-over', directory)).code).toBe(0);
    });
  });

  it('by a store that may not be written, with nothing changed', async () => {
    const { objects } = dedupedBucket();
    const { source, url, deny } = await makeS3Bucket(Object.entries(objects));
    await deny(['s3:PutObject', 's3:DeleteObject'], '');
    const store = await openStore(source);
    const before = await contentsOf(store);
    const { code, err } = await run('repair', ...ACT, url);
    expect(code).toBe(1);
    expect(err).toMatch(/^layoutfs: .*\n$/);
    expect(await contentsOf(store)).toEqual(before);
  });
});
