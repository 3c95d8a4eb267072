import { open, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  corpusOf,
  describeBytes,
  type FaultImage,
  makeImage,
  seededBytes,
  sharedKey,
} from '../../test/fault/support/images.js';
import { INDEX, REF_NAME, sha256 } from '../../test/images/corpus.js';
import { keysOf, writeKeys } from '../../test/images/layouts.js';
import { newCacheDirectory } from '../../test/support/test-cache.js';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.js';
import { testTerminal } from '../../test/support/test-terminal.js';
import type { WarmSummary } from './warm-output.js';
import { runProgram } from './program.js';

const SHARED = seededBytes('shared', 3_000_000);
const V1 = makeImage('v1', [SHARED, seededBytes('v1', 200_000)]);
const V2 = makeImage('v2', [SHARED, seededBytes('v2', 100_000)]);
const AMD = makeImage('amd', [seededBytes('amd', 50_000)]);
const ARM = makeImage('arm', [seededBytes('arm', 60_000)]);

/** An index of two images, for two platforms, and something that is for none. */
const MULTI: FaultImage = (() => {
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        { ...AMD.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
        { ...ARM.descriptor, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
      ],
    }),
  );
  return {
    tag: 'multi',
    descriptor: { ...describeBytes(INDEX, bytes), annotations: { [REF_NAME]: 'multi' } },
    blobs: new Map([...AMD.blobs, ...ARM.blobs, [sha256(bytes), bytes]]),
  };
})();

let registry: string;
let cacheDir: string;
let stateDir: string;
beforeAll(async () => {
  stateDir = await makeTemporaryDirectory('warm');
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));
beforeEach(async () => {
  registry = await makeTemporaryDirectory('warm');
  const corpus = corpusOf({ 'team/app': [V1, V2], 'base/multi': [MULTI] });
  await writeKeys(registry, keysOf(corpus, 'shared'));
  cacheDir = await newCacheDirectory();
});
afterEach(() => rm(registry, { recursive: true, force: true }));

async function warm(...words: string[]) {
  const terminal = testTerminal();
  const own = ['--state-dir', stateDir, '--cache-dir', cacheDir, '--cache-min-free', '0'];
  const code = await runProgram(['warm', ...own, registry, ...words], terminal);
  return { code, ...terminal.written };
}

async function warmJson(...words: string[]): Promise<WarmSummary & { code: number }> {
  const { code, out, err } = await warm('--json', ...words);
  expect(err).toBe('');
  return { code, ...(JSON.parse(out) as WarmSummary) };
}

/** Digests of the complete blobs in the cache. */
async function cached(): Promise<string[]> {
  const names = await readdir(join(cacheDir, 'blobs/sha256'), { recursive: true });
  return names
    .filter((name) => name.includes('/'))
    .map((name) => `sha256:${name.slice(3)}`)
    .sort();
}

const digestsOf = (...images: FaultImage[]) =>
  [...new Set(images.flatMap(({ blobs }) => [...blobs.keys()]))].sort();

it('fetches an image: its manifest, config and layers, each once', async () => {
  const { code, out } = await warm('team/app:v1');
  expect({ code, out }).toEqual({
    code: 0,
    out: expect.stringMatching(/^1 image: 4 blobs \(3\.1 MiB\) fetched\n$/) as string,
  });
  expect(await cached()).toEqual(digestsOf(V1));
});

it('fetches nothing twice', async () => {
  await warm('team/app:v1');
  const { fetched, cached: had, images } = await warmJson('team/app');
  expect(images).toEqual(['team/app:v1', 'team/app:v2']);
  expect(had.blobs).toBeGreaterThanOrEqual(4);
  expect(fetched.blobs + had.blobs).toBe(digestsOf(V1, V2).length);
  expect(await cached()).toEqual(digestsOf(V1, V2));
  for (const { blobs } of [V1]) for (const digest of blobs.keys()) await unlink(keyPath(digest));
  expect(await warm('team/app:v1')).toMatchObject({ code: 0, err: '' });
});

it('shows a person how far it is, and leaves the result alone on the screen', async () => {
  const terminal = { ...testTerminal(), interactive: true, columns: 80 };
  const own = ['--state-dir', stateDir, '--cache-dir', cacheDir, '--cache-min-free', '0'];
  expect(await runProgram(['warm', ...own, registry, 'team/app:v1'], terminal)).toBe(0);
  const { err, out } = terminal.written;
  expect(err).toMatch(/[0-9a-f]{12} {2}\[.*\] .* of .*\n.*of 4 blobs {2}\[.*\] .* of 3\.1 MiB/);
  // Cursor up, erase to the end of the screen.
  expect(err).toMatch(/\u001B\[\dA\u001B\[J$/);
  expect(out).toMatch(/^1 image: /);
});

it('--all fetches everything, globs what they match', async () => {
  const glob = await warmJson('*/a*:v[12]');
  expect(glob.images).toEqual(['team/app:v1', 'team/app:v2']);
  const all = await warmJson('--all');
  expect(all.images).toEqual(['base/multi:multi', 'team/app:v1', 'team/app:v2']);
  expect(await cached()).toEqual(digestsOf(V1, V2, MULTI));
});

it('--exclude holds for globs and --all', async () => {
  const { images } = await warmJson('--all', '--exclude', 'team/**');
  expect(images).toEqual(['base/multi:multi']);
});

it('--platform fetches what is for it', async () => {
  const { code } = await warmJson('base/multi:multi', '--platform', 'linux/arm64');
  expect(code).toBe(0);
  expect(await cached()).toEqual([...digestsOf(ARM), MULTI.descriptor.digest].sort());
  const none = await warmJson('base/multi', 'team/app:v1', '--platform', 'windows/amd64');
  expect(none.code).toBe(1);
  expect(none.failed).toEqual([
    { images: ['base/multi:multi'], reason: 'It has no image for windows/amd64.' },
    { images: ['team/app:v1'], reason: 'It has no image for windows/amd64.' },
  ]);
  const glob = await warmJson('**', '--platform', 'windows/amd64');
  expect(glob).toMatchObject({ code: 0, images: [], failed: [] });
});

it('a digest may be of an image within an index', async () => {
  const { images } = await warmJson(`base/multi@${ARM.descriptor.digest}`);
  expect(images).toHaveLength(1);
  expect(await cached()).toEqual(expect.arrayContaining(digestsOf(ARM)));
});

it('names what is not there, and fetches the rest', async () => {
  const [layer = ''] = [...V2.blobs.keys()].slice(1);
  await unlink(keyPath(layer));
  const { code, failed, fetched } = await warmJson('team/app', 'no/where', 'team/app:v9', 'x*');
  expect(code).toBe(1);
  expect(failed).toEqual([
    { images: ['x*'], reason: 'No repository matches it.' },
    { images: ['team/app:v9'], reason: 'The repository has no such image.' },
    { images: ['no/where'], reason: 'There is no such repository.' },
    { digest: layer, images: ['team/app:v2'], reason: expect.stringContaining(layer) as string },
  ]);
  expect(fetched.blobs).toBeGreaterThan(3);
  const text = await warm('team/app');
  expect(text.code).toBe(1);
  expect(text.out).toMatch(
    new RegExp(`^team/app:v2: ${layer}: No object is stored for .*\n.*1 failed\n$`),
  );
});

it('keeps nothing wrong', async () => {
  const [layer = ''] = [...V2.blobs.keys()].slice(1);
  const file = await open(keyPath(layer), 'r+');
  await file.write(Buffer.from('wrong'), 0, 5, 50_000);
  await file.close();
  const { code, failed } = await warmJson('team/app:v2');
  expect(code).toBe(1);
  expect(failed).toMatchObject([{ digest: layer, images: ['team/app:v2'] }]);
  expect(await cached()).not.toContain(layer);
});

it('says when the images do not fit', async () => {
  const { code, err, out } = await warm('team/app:v1', '--cache-size', '1MiB');
  expect(code).toBe(1);
  expect(err).toContain('The images take 3.1 MiB, but the cache 1 MiB (--cache-size)');
  expect(out).toMatch(/^team\/app:v1: sha256:[0-9a-f]{64}: It is larger than the cache/);
});

it.each([
  [[], 'Name images (repository, repository:tag, repository@digest), or give --all.'],
  [['--all', 'team/app'], 'Give either images or --all, not both.'],
  [['team/app:'], '"team/app:" names no image'],
  [['team/app', '--platform', 'arm'], '--platform: "arm" is no platform'],
])('%j is refused with what to do', async (words, message) => {
  const { code, out, err } = await warm(...words);
  expect(err).toMatch(/^layoutfs: [^\n]+\n$/);
  expect(err).toContain(message);
  expect({ code, out }).toEqual({ code: 2, out: '' });
});

it('wants a cache', async () => {
  const terminal = testTerminal();
  expect(await runProgram(['warm', registry, 'team/app'], terminal)).toBe(2);
  expect(terminal.written.err).toContain('Name the cache to fetch into with --cache-dir');
});

it('refuses a cache in the source, and makes none there', async () => {
  const inside = join(registry, 'team/cache');
  const terminal = testTerminal();
  const words = ['warm', '--cache-dir', inside, registry, 'team/app'];
  expect(await runProgram(words, terminal)).toBe(2);
  expect(terminal.written.err).toMatch(/The cache directory .* lies in the source file:/);
  await expect(readdir(inside)).rejects.toThrow('ENOENT');
});

it('refuses a directory that is no cache', async () => {
  await writeFile(cacheDir, '');
  const { code, err } = await warm('team/app');
  expect(code).toBe(2);
  expect(err).toContain('is no directory');
});

const keyPath = (digest: string) => join(registry, sharedKey(digest));
