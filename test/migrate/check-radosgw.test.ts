import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import type { CheckReport } from '../../src/migrate/check/report.js';
import { unpackZotState, ZOT_STATES } from '../fixtures/unpack.js';
import { readKeys } from '../images/upload.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { testTerminal } from '../support/test-terminal.js';
import { BucketBuilder, keyOf, sha256 } from './support/bucket-builder.js';
import { expectTruth } from './support/expected-check.js';
import { makeS3Bucket } from './support/s3-buckets.js';

let stateDir: string;
beforeAll(async () => {
  stateDir = await makeTemporaryDirectory('check');
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

async function check(...words: string[]) {
  const terminal = testTerminal(process.env);
  const code = await runProgram(['check', '--json', '--state-dir', stateDir, ...words], terminal);
  const { out, err } = terminal.written;
  expect(err).toBe('');
  return { code, report: JSON.parse(out) as CheckReport };
}

describe('a bucket that a real zot wrote, on a real S3 server', () => {
  // S4 is a local disk.
  it.each(ZOT_STATES.filter((state) => state !== 'S4'))('%s', async (state) => {
    const unpacked = await unpackZotState(state);
    const { directory, expected } = unpacked;
    try {
      const { url } = await makeS3Bucket(await readKeys(directory));
      const { code, report } = await check('--read-data', url);
      expectTruth(report, expected);
      expect(code).toBe(state === 'S9' ? 1 : 0);
      expect(report.totals.hashed).toBe(report.totals.contents);
      expect(report.warnings.atRisk).toHaveLength(state === 'S1' ? 7 : 0);
    } finally {
      await unpacked.remove();
    }
  });
});

describe('a hostile bucket', () => {
  it('with keys that no directory can have is reported, and the rest checked', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('a', { v1: bucket.image('a', 'one') });
    const strange = ['a//b', 'a/', '/x', 'a/../b', 'a\u0001b', 'x'.repeat(900), 'a/blobs/sha256/Z'];
    for (const key of strange) bucket.objects[key] = 'x';
    const { url } = await makeS3Bucket(Object.entries(bucket.objects));
    const { code, report } = await check('--read-data', url);
    expect(code).toBe(0);
    expect(report.verdict).toBe('warnings');
    expect(report.totals).toMatchObject({ repositories: 1, referenced: 3, hashed: 3 });
    expect(report.warnings.strangeKeys.examples).toEqual(
      expect.arrayContaining(['a//b', '/x', 'a/../b', 'a\u0001b', 'a/blobs/sha256/Z']),
    );
  });

  it('that denies a prefix is reported by name', async () => {
    const bucket = new BucketBuilder();
    const image = bucket.image('a', 'one');
    bucket.repository('a', { v1: image });
    bucket.repository('denied/b', { v1: bucket.image('denied/b', 'two') });
    bucket.repository('c', { v1: image });
    for (const key of Object.keys(bucket.objects)) {
      if (key.startsWith('a/blobs/')) bucket.objects[key.replace('a/', 'c/')] = '';
    }
    const { url, deny } = await makeS3Bucket(Object.entries(bucket.objects));
    await deny(['s3:GetObject'], 'denied/');
    const { code, report } = await check('--read-data', url);
    expect(code).toBe(1);
    expect(report.damage.unreadable).toMatchObject([{ repository: 'denied/b' }]);
    expect(report.totals.repositories).toBe(2);
    const denied = report.warnings.unhashed.map(({ key }) => key);
    expect(denied).toContain(keyOf('denied/b', sha256('two')));
    expect(report.notes.unreferenced).toBeUndefined();
  });

  it('with sizes that lie, in every direction', async () => {
    const bucket = new BucketBuilder();
    const right = bucket.image('a', 'one');
    const type = right.mediaType;
    bucket.repository(
      'a',
      { short: { ...right, size: 1 }, long: { ...right, size: 2 ** 50 } },
      { mediaType: type, digest: sha256('nothing'), size: 0 },
    );
    const { url } = await makeS3Bucket(Object.entries(bucket.objects));
    const { code, report } = await check('--read-data', url);
    expect(code).toBe(1);
    expect(report.damage.wrongSize).toMatchObject([{ digest: right.digest, sizes: [1, 2 ** 50] }]);
    expect(report.damage.missing).toMatchObject([{ digest: sha256('nothing') }]);
  });
});
