import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type UnpackedState, unpackZotState, ZOT_STATES } from '../../test/fixtures/unpack.js';
import { BucketBuilder } from '../../test/migrate/support/bucket-builder.js';
import { expectTruth } from '../../test/migrate/support/expected-check.js';
import { localBucket } from '../../test/support/local-bucket.js';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.js';
import { testTerminal } from '../../test/support/test-terminal.js';
import type { CheckReport } from '../migrate/check/report.js';
import { runProgram } from './program.js';

let stateDir: string;
const buckets = new Map<string, UnpackedState>();
beforeAll(async () => {
  stateDir = await makeTemporaryDirectory('check');
  for (const state of ZOT_STATES) buckets.set(state, await unpackZotState(state));
});
afterAll(async () => {
  for (const bucket of buckets.values()) await bucket.remove();
  await rm(stateDir, { recursive: true, force: true });
});

async function check(...words: string[]) {
  const terminal = testTerminal();
  const code = await runProgram(['check', '--state-dir', stateDir, ...words], terminal);
  return { code, ...terminal.written };
}

async function report(...words: string[]) {
  const { code, out } = await check('--json', ...words);
  return { code, report: JSON.parse(out) as CheckReport };
}

function bucketOf(state: string): UnpackedState {
  const bucket = buckets.get(state);
  if (bucket === undefined) throw new Error(`${state} was not unpacked.`);
  return bucket;
}

describe('a bucket that a real zot wrote', () => {
  it.each(ZOT_STATES)('%s is reported as it is', async (state) => {
    const { directory, expected } = bucketOf(state);
    const { code, report: found } = await report('--read-data', directory);
    expectTruth(found, expected);
    expect(code).toBe(state === 'S9' ? 1 : 0);
    expect(found.verdict).toBe({ S1: 'warnings', S4: 'sound', S5: 'sound', S9: 'damaged' }[state]);
    // Hard links of a local disk are read once.
    if (state !== 'S4') expect(found.totals.hashed).toBe(found.totals.contents);
    expect(found.warnings.unhashed).toEqual([]);
  });

  it('S1 names exactly the digests that a restart of that zot emptied', async () => {
    const emptied = Object.values(bucketOf('S9').expected).flatMap(({ lost }) => lost);
    const { report: found } = await report(bucketOf('S1').directory);
    const named = found.warnings.atRisk.map(({ digest }) => digest as string);
    expect(named).toEqual([...new Set(emptied)].sort());
    expect(named).toHaveLength(7);
  });

  it('S4 keeps no layer twice: its copies are hard links', async () => {
    const { report: found } = await report(bucketOf('S4').directory);
    // Manifests are pushed to each repository anew.
    expect(found.notes.duplicates.list.filter(({ size }) => size > 2000)).toEqual([]);
    expect(found.totals.contentBytes).toBeGreaterThan(20 * found.notes.duplicates.wastedBytes);
  });
});

describe('the report for people', () => {
  it('has numbers first, groups with advice, and the verdict last', async () => {
    const { code, out } = await check(bucketOf('S9').directory);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^This is a zot registry at zot\/zot of file:.*\n25 repositories refer to /,
    );
    expect(out).toMatch(
      /\n\n✗ 7 blobs are lost \(only empty objects are left\):\n {2}Push the images/,
    );
    expect(out).toContain('\n      in a:v1, z:v1\n');
    expect(out).toMatch(/\nDamaged: 7 problems, 0 warnings\.\n$/);
  });

  it('cuts long lists, unless all is asked for', async () => {
    const bucket = new BucketBuilder();
    for (let number = 0; number < 30; number += 1) {
      const image = bucket.image(`r${number}`, `layer ${number}`);
      bucket.repository(`r${number}`, { v1: image });
      for (const key of Object.keys(bucket.objects)) {
        if (key.startsWith(`r${number}/blobs/`)) bucket.objects[key] = '';
      }
    }
    const stored = await localBucket(bucket.objects);
    const { directory } = stored;
    try {
      const { out } = await check(directory);
      expect(out).toContain('✗ 30 blobs are lost');
      expect(out.match(/^ {4}sha256:/gm)).toHaveLength(10);
      expect(out).toContain('… and 20 more (--all shows them)');
      const { out: whole } = await check('--all', directory);
      expect(whole.match(/^ {4}sha256:/gm)).toHaveLength(30);
    } finally {
      await stored.remove();
    }
  });

  it('shows nothing that steers a terminal', async () => {
    const bucket = new BucketBuilder();
    const image = bucket.image('a', 'one');
    bucket.repository('a', { '\u001B[2J\rv1': image });
    for (const key of Object.keys(bucket.objects)) {
      if (key.startsWith('a/blobs/')) bucket.objects[key] = '';
    }
    const stored = await localBucket(bucket.objects);
    const { directory } = stored;
    try {
      const { out } = await check(directory);
      expect(out).toContain('in a:?[2J?v1');
      expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    } finally {
      await stored.remove();
    }
  });
});

describe('the command line', () => {
  it('chooses repositories', async () => {
    const { directory } = bucketOf('S9');
    const whole = await report(directory, 'alpha', '/team/beta/');
    expect(whole.code).toBe(0);
    expect(whole.report.totals.repositories).toBe(2);
    expect((await report(directory, 'alpha', 'z')).code).toBe(1);
    expect((await report('--exclude', '**', '--include', 'x', directory)).code).toBe(0);
  });

  it('says when there is no such repository', async () => {
    const { code, err } = await check(bucketOf('S1').directory, 'alpha', 'nowhere');
    expect(code).toBe(1);
    expect(err).toContain('There is no repository "nowhere"');
  });

  it('takes the source from a zot configuration', async () => {
    const config = join(stateDir, 'zot.json');
    const storage = { rootDirectory: bucketOf('S4').directory };
    await writeFile(config, JSON.stringify({ storage }));
    const { code, report: found } = await report('--zot-config', config, 'alpha');
    expect(code).toBe(0);
    expect(found.totals.repositories).toBe(1);
  });

  it('hashes a sample', async () => {
    const { directory } = bucketOf('S1');
    const { report: all } = await report('--sample', '100%', directory);
    expect(all.totals.hashed).toBe(all.totals.contents);
    const { report: none } = await report('--sample', '0.0001', directory);
    expect(none.totals.hashed).toBeLessThan(all.totals.contents);
  });

  it.each([
    [['--sample', '0'], /"0" is no percentage/],
    [['--sample', '101'], /no percentage/],
    [['--sample', 'x'], /no percentage/],
    [['--sample', '5', '--read-data'], /not both/],
    [['--shared-blob-dir', '/elsewhere', '--root', 'zot'], /name a root that contains both/],
  ])('refuses %j', async (words, message) => {
    const { code, err } = await check(...words, bucketOf('S1').directory);
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  it('has examples in its help', async () => {
    const { code, out } = await check('--help');
    expect(code).toBe(0);
    expect(out).toContain('layoutfs check --read-data file:///srv/registry');
  });
});
