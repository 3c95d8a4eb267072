import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ExpectedRepository,
  unpackZotState,
  type UnpackedState,
  ZOT_STATES,
  type ZotState,
} from '../fixtures/unpack.js';
import { type LocalBucket, localBucket } from '../support/local-bucket.js';
import { testTerminal } from '../support/test-terminal.js';
import { runProgram } from '../../src/cli/program.js';

let stateDir: string;
const states = new Map<ZotState, UnpackedState>();

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'layoutfs-ls-'));
  for (const state of ZOT_STATES) states.set(state, await unpackZotState(state));
});

afterAll(async () => {
  for (const state of states.values()) await state.remove();
  await rm(stateDir, { recursive: true });
});

function unpacked(state: ZotState): UnpackedState {
  const found = states.get(state);
  if (found === undefined) throw new Error(`${state} is not unpacked.`);
  return found;
}

async function ls(...operands: string[]) {
  const terminal = testTerminal({ LAYOUTFS_STATE_DIR: stateDir });
  const code = await runProgram(['ls', ...operands], terminal);
  return { code, ...terminal.written };
}

const present = (expected: Readonly<Record<string, ExpectedRepository>>) =>
  Object.entries(expected).filter(([, { absent }]) => !absent);

interface JsonListing {
  repositories: { name: string }[];
  lost: { digest: string; repositories: string[] }[];
  images: { tag?: string; digest: string; size: number; platforms: unknown[] }[];
}

describe.each(ZOT_STATES)('the bucket %s of a real zot', (state) => {
  it('lists its repositories', async () => {
    const { directory, expected } = unpacked(state);
    const { out } = await ls(directory);
    const names = present(expected)
      .map(([name]) => name)
      .sort();
    expect(out.split('\n').slice(0, names.length + 1)).toEqual([
      ...names,
      `${names.length} repositories`,
    ]);
  });

  it('names every digest it has lost, and fails when there is one', async () => {
    const { directory, expected } = unpacked(state);
    const lost = [...new Set(present(expected).flatMap(([, repository]) => repository.lost))];
    const { code, out } = await ls(directory);
    const json = JSON.parse((await ls('--json', directory)).out) as JsonListing;
    expect(json.lost.map(({ digest }) => digest).sort()).toEqual(lost.sort());
    for (const digest of lost) expect(out).toContain(digest);
    expect(out.includes('Lost: ')).toBe(lost.length > 0);
    expect(code).toBe(lost.length > 0 ? 1 : 0);
  });

  it('shows the tags, the untagged and the lost of each repository', async () => {
    const { directory, expected } = unpacked(state);
    for (const [name, repository] of present(expected)) {
      const { code, out } = await ls('--json', directory, name);
      const { images, lost } = JSON.parse(out) as JsonListing;
      const tagged = images.flatMap(({ tag, digest }) =>
        tag === undefined ? [] : [[tag, digest]],
      );
      const untagged = images.filter(({ tag }) => tag === undefined).map(({ digest }) => digest);
      const tags = Object.fromEntries(tagged) as Record<string, string>;
      expect({ name, tags }).toEqual({ name, tags: repository.tags });
      expect({ name, untagged: untagged.sort() }).toEqual({
        name,
        untagged: [...repository.untagged].sort(),
      });
      expect({ name, lost: lost.map(({ digest }) => digest) }).toEqual({
        name,
        lost: [...repository.lost].sort(),
      });
      expect({ name, code }).toEqual({ name, code: repository.lost.length > 0 ? 1 : 0 });
    }
  });
});

describe('the table of a repository', () => {
  it('shows tag, digest, type, platform and size', async () => {
    const { out, code } = await ls(unpacked('S4').directory, 'zeta/multi');
    const lines = out.split('\n').map((line) => line.replace(/sha256:(.{6}).{58}/, '$1'));
    expect(lines).toEqual([
      'TAG           DIGEST                                                                   TYPE   PLATFORM                      SIZE',
      '-             a6ae82  image  linux/amd64              241.8 KiB',
      '-             36375b  image  linux/arm64              241.8 KiB',
      'multi         0b1f0e  index  linux/amd64,linux/arm64  363.6 KiB',
      '-             3695bd  image  linux/amd64              241.8 KiB',
      'nested-index  78b943  index  linux/amd64,linux/arm64  485.3 KiB',
      '2 tags, 3 untagged',
      '',
    ]);
    expect(code).toBe(0);
  });

  it('names the kind of an artifact', async () => {
    const { out } = await ls(unpacked('S4').directory, 'refs');
    expect(out).toMatch(/^- +sha256:\w{64} +application\/vnd\.example\.sbom +- +597 B$/m);
  });
});

describe('what is asked for', () => {
  it('--include and --exclude choose repositories, and the losses that are shown', async () => {
    const { directory } = unpacked('S9');
    expect(await ls('--include', 'team/**', '--exclude', '**/nested', directory)).toEqual({
      code: 0,
      out: 'team/beta\n1 repository\n',
      err: '',
    });
  });

  it('a repository that is not there is an error', async () => {
    const { directory } = unpacked('S4');
    expect(await ls(directory, 'nope')).toEqual({
      code: 1,
      out: '',
      err: `layoutfs: There is no repository "nope" in file://${directory}: "layoutfs ls" lists them all.\n`,
    });
  });

  it('a zot configuration may stand in for the source', async () => {
    const { directory } = unpacked('S4');
    const config = join(stateDir, 'config.json');
    await writeFile(config, JSON.stringify({ storage: { rootDirectory: directory } }));
    const { code, out } = await ls('--zot-config', config);
    expect({ code, last: out.split('\n').at(-2) }).toEqual({ code: 0, last: '25 repositories' });
    expect((await ls('--zot-config', config, 'z')).out).toContain('1 tag\n');
  });
});

describe('broken documents', () => {
  let bucket: LocalBucket | undefined;
  afterAll(() => bucket?.remove());

  it('are named, and what can be read is shown', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    bucket = await localBucket({
      'r/oci-layout': '{"imageLayoutVersion":"1.0.0"}',
      'r/index.json': JSON.stringify({
        manifests: [
          { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 5 },
          { digest: 'nonsense', size: 1 },
        ],
      }),
      'r/blobs/sha256/x': 'not a blob',
      'bad/oci-layout': '{}',
      'bad/index.json': 'not json',
    });
    const { code, out } = await ls(bucket.directory, 'r');
    expect(code).toBe(1);
    expect(out).toMatch(/^- +sha256:a{64} +image +- +5 B +lost$/m);
    expect(out).toContain('1 entry of index.json cannot be read.');
    expect(out).toContain(`Lost: 1 digest has no bytes anywhere in this store.`);
    expect(await ls(bucket.directory, 'bad')).toMatchObject({
      code: 1,
      err: 'layoutfs: index.json of bad cannot be read: The document is not JSON.\n',
    });
  });
});
