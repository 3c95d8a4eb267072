import { existsSync } from 'node:fs';
import { open, symlink, unlink, utimes } from 'node:fs/promises';
import { expect, it } from 'vitest';
import {
  keep,
  newCacheDirectory,
  openTestCache,
  readCached,
  TEST_PART,
  testContent,
} from '../../test/support/test-cache.js';
import { testTerminal } from '../../test/support/test-terminal.js';
import { blobPath, partialPath, recordPath } from '../blobs/disk/paths.js';
import { runProgram } from './program.js';

const contents = [1, 2, 3].map((seed) => testContent(4000, seed));
const [FIRST = testContent(1), SECOND = testContent(1)] = contents;
const PARTIAL = testContent(4 * TEST_PART, 9);

/** A closed cache of three blobs, the first used longest ago, and a quarter of a fourth. */
async function filledCache(): Promise<string> {
  const directory = await newCacheDirectory();
  const { cache } = await openTestCache(directory);
  for (const content of contents) (await keep(cache, content))?.close();
  const partial = await cache.openPartial(PARTIAL.name);
  await partial?.write(2, PARTIAL.bytes.subarray(2 * TEST_PART, 3 * TEST_PART));
  await cache.close();
  for (const [i, { name }] of contents.entries()) {
    const used = Date.now() / 1000 - 7200 * (3 - i);
    const record = recordPath(directory, name.digest);
    await expect.poll(() => touched(record)).toBe(true);
    await utimes(record, used, used);
  }
  return directory;
}

/** Closing a blob says so in its record, a moment later. */
async function touched(record: string): Promise<boolean> {
  const file = await open(record);
  const { atimeMs } = await file.stat();
  await file.close();
  return atimeMs < Date.now() + 1000;
}

async function cache(...words: string[]) {
  const terminal = testTerminal();
  const code = await runProgram(['cache', ...words], terminal);
  return { code, ...terminal.written };
}

async function flip(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.from([0xaa]), 0, 1, position);
  await file.close();
}

it('ls shows what there is, last used first', async () => {
  const directory = await filledCache();
  const { code, out } = await cache('ls', '--cache-dir', directory);
  expect(code).toBe(0);
  const lines = out.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^DIGEST +SIZE +STATE +LAST USED$/);
  expect(lines[1]).toMatch(
    new RegExp(`^${PARTIAL.name.digest} +3.9 KiB +partial 25 % +\\d+ s ago$`),
  );
  expect(lines[4]).toMatch(new RegExp(`^${FIRST.name.digest} +3.9 KiB +complete +6 h 0 min ago$`));
  expect(lines[5]).toMatch(/^3 complete, 1 partial, 3\d(\.\d)? KiB of 10 GiB$/);
});

it('ls --json has all of it', async () => {
  const directory = await filledCache();
  const { out } = await cache('ls', '--json', '--cache-dir', directory);
  const listing = JSON.parse(out) as { entries: { digest: string }[] };
  expect(listing.entries).toHaveLength(4);
  expect(listing.entries[0]).toMatchObject({
    digest: PARTIAL.name.digest,
    state: 'partial',
    size: 4 * TEST_PART,
    presentBytes: TEST_PART,
    open: false,
  });
});

it('ls and prune see what another has open', async () => {
  const directory = await filledCache();
  const { cache: other } = await openTestCache(directory);
  const held = await other.open(FIRST.name);
  await expect
    .poll(async () => (await cache('ls', '--cache-dir', directory)).out)
    .toMatch(/complete, open/);
  const { code, out } = await cache('prune', '--all', '--cache-dir', directory);
  expect(code).toBe(0);
  expect(out).toMatch(/^Removed 3 blobs \(.*\)\. 1 in use stays\. 8 KiB are left\.\n$/);
  held?.close();
  expect((await readCached(other, FIRST.name))?.equals(FIRST.bytes)).toBe(true);
});

it('verify finds nothing wrong with what is right, and believes it from then on', async () => {
  const directory = await filledCache();
  await utimes(blobPath(directory, FIRST.name.digest), 1, 1);
  const { code, out } = await cache('verify', '--cache-dir', directory);
  expect({ code, out }).toEqual({
    code: 0,
    out: expect.stringMatching(/^4 files are right \(.*\), 0 damaged\n$/) as string,
  });
  const { cache: reader, counters } = await openTestCache(directory);
  expect((await readCached(reader, FIRST.name))?.equals(FIRST.bytes)).toBe(true);
  expect(counters.get('cache.rehashed')).toBe(0);
});

it('verify finds wrong bytes that no time tells of, links, and wrong parts; and removes them', async () => {
  const directory = await filledCache();
  const path = blobPath(directory, FIRST.name.digest);
  const other = blobPath(directory, SECOND.name.digest);
  await flip(path, 17);
  await unlink(other);
  await symlink(path, other);
  await flip(partialPath(directory, PARTIAL.name), 2 * TEST_PART);
  const looked = await cache('verify', '--dry-run', '--cache-dir', directory);
  expect(looked.code).toBe(1);
  expect(looked.out).toContain(`${FIRST.name.digest}  damaged\n`);
  expect(existsSync(path)).toBe(true);
  const { code, out } = await cache('verify', '--json', '--cache-dir', directory);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ right: 1, directory });
  expect((JSON.parse(out) as { damaged: unknown[] }).damaged).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ digest: FIRST.name.digest, problem: 'damaged', removed: true }),
      expect.objectContaining({ digest: SECOND.name.digest, problem: 'foreign', removed: true }),
      expect.objectContaining({ digest: PARTIAL.name.digest, state: 'partial', removed: true }),
    ]),
  );
  expect((await cache('verify', '--cache-dir', directory)).out).toMatch(/^1 file is right/);
});

it('prune removes what was used longest ago until the rest fits', async () => {
  const directory = await filledCache();
  const words = [
    'prune',
    '--cache-dir',
    directory,
    '--cache-size',
    '20KiB',
    '--cache-min-free',
    '0',
  ];
  const plan = await cache(...words, '--dry-run');
  expect(plan.out).toMatch(/^Would remove 2 blobs/);
  expect(existsSync(blobPath(directory, FIRST.name.digest))).toBe(true);
  expect((await cache(...words)).out).toMatch(/^Removed 2 blobs \(16 KiB\)/);
  expect(contents.map(({ name }) => existsSync(blobPath(directory, name.digest)))).toEqual([
    false,
    false,
    true,
  ]);
});

it('prune --older-than removes what was not used since', async () => {
  const directory = await filledCache();
  const { out } = await cache('prune', '--cache-dir', directory, '--older-than', '3h', '--json');
  expect(JSON.parse(out)).toMatchObject({
    removed: [{ digest: FIRST.name.digest }, { digest: SECOND.name.digest }],
    open: [],
  });
});

it.each([
  [['ls'], 'Name the cache with --cache-dir (or LAYOUTFS_CACHE_DIR).'],
  [['ls', '--cache-dir', '/nowhere'], 'The cache directory /nowhere cannot be used (ENOENT'],
  [['ls', '--cache-dir', '/usr'], '/usr is no cache of layoutfs, and holds other files (such as'],
  [['prune', '--all', '--older-than', '1h'], 'Give either --all or --older-than, not both.'],
  [['prune', '--older-than', '3'], '--older-than: "3" is not a duration'],
  [['ls', '--cache-size', 'much', '--cache-dir', '/'], '--cache-size: "much" is not a size'],
  [['list'], "unknown command 'list' (Did you mean ls?) See layoutfs cache --help."],
  [['ls', '--cashe-dir', '/'], 'See layoutfs cache ls --help.'],
])('%j is refused with what to do', async (words, message) => {
  const { code, out, err } = await cache(...words);
  expect(err).toMatch(/^layoutfs: [^\n]+\n$/);
  expect(err).toContain(message);
  expect({ code, out }).toEqual({ code: 2, out: '' });
});

it('names its commands when none is given', async () => {
  const { code, err } = await cache();
  expect(code).toBe(2);
  expect(err).toMatch(/ {2}prune .*remove blobs from the cache/);
});

it.each(['ls', 'verify', 'prune'])('%s --help has examples', async (name) => {
  const { code, out } = await cache(name, '--help');
  expect(code).toBe(0);
  expect(out.split(`layoutfs cache ${name} `).length).toBeGreaterThan(2);
});
