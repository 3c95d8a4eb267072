import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ExpectedRepository,
  type UnpackedState,
  unpackZotState,
  ZOT_STATES,
} from '../fixtures/unpack.js';
import { readKeys, uploadKeys } from '../images/upload.js';
import { startRadosgw } from '../servers/radosgw.js';
import type { S3Server } from '../servers/server.js';
import { mountLayoutfs, type MountedLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';

/**
 * Buckets that a real zot wrote, through a real mount, from a directory and from a real S3 server:
 * exactly what their expected.json says.
 */

interface SeenRepository {
  readonly index: string;
  readonly listed: Readonly<Record<string, number>>;
  /** Digest to the hash of what was read, or to the errno. */
  readonly read: Readonly<Record<string, string>>;
}

const DESCRIBE = join(import.meta.dirname, 'support/describe-layouts.mjs');
const LAYOUTFS = join(import.meta.dirname, '../../bin/layoutfs');

let server: S3Server;

beforeAll(async () => {
  server = await startRadosgw();
});
afterAll(() => server.stop());

async function upload(state: string, directory: string): Promise<string> {
  const bucket = `zot-${state.toLowerCase()}`;
  const target = {
    endpoint: server.endpoint,
    region: 'us-east-1',
    accessKeyId: server.accessKey,
    secretAccessKey: server.secretKey,
    bucket,
  };
  await uploadKeys(target, await readKeys(directory));
  return `s3://${bucket}?endpoint=${server.endpoint}&region=us-east-1`;
}

const credentials = () => ({
  AWS_ACCESS_KEY_ID: server.accessKey,
  AWS_SECRET_ACCESS_KEY: server.secretKey,
});

function expectRepository(seen: SeenRepository | undefined, expected: ExpectedRepository): void {
  const unreadable = [...expected.lost, ...expected.foreign];
  expect(seen?.index).toBe(expected.index_sha256);
  const readable = Object.fromEntries(
    expected.blobs.map((digest) => [digest, digest.split(':')[1]]),
  );
  const errors = Object.fromEntries(unreadable.map((digest) => [digest, 'ENOENT']));
  const relevant = Object.entries(seen?.read ?? {}).filter(
    ([digest]) => expected.blobs.includes(digest) || unreadable.includes(digest),
  );
  expect(Object.fromEntries(relevant)).toEqual({ ...readable, ...errors });
  for (const [digest, size] of Object.entries(seen?.listed ?? {})) {
    expect([...expected.blobs, ...unreadable]).toContain(digest);
    if (!expected.foreign.includes(digest)) expect(size).toBe(expected.sizes[digest]);
  }
  for (const digest of expected.blobs) expect(seen?.listed).toHaveProperty([digest]);
}

describe.each(ZOT_STATES)('the zot bucket %s', (state) => {
  let unpacked: UnpackedState;
  let expected: [string, ExpectedRepository][];

  beforeAll(async () => {
    unpacked = await unpackZotState(state);
    expected = Object.entries(unpacked.expected).filter(([, { absent }]) => !absent);
  });
  afterAll(() => unpacked.remove());

  const readEverything = async (mount: MountedLayoutfs) => {
    const wanted = expected.flatMap(([, { lost, foreign }]) => [...lost, ...foreign]);
    const args = [DESCRIBE, mount.mountpoint, ...new Set(wanted)];
    return JSON.parse(await runOk(process.execPath, args)) as Record<string, SeenRepository>;
  };

  const expectLossesNamed = async (source: string, mount: MountedLayoutfs) => {
    const pairs = expected.flatMap(([name, { lost }]) => lost.map((digest) => `${name} ${digest}`));
    const digests = [...new Set(expected.flatMap(([, { lost }]) => lost))].sort();
    const listed = await run(LAYOUTFS, ['ls', '--json', source], { env: credentials() });
    expect(listed.code).toBe(digests.length > 0 ? 1 : 0);
    const { lost } = JSON.parse(listed.stdout) as { lost: { digest: string }[] };
    expect(lost.map(({ digest }) => digest).sort()).toEqual(digests);
    const { unresolved } = await mount.status();
    expect(unresolved.map(({ repository, digest }) => `${repository} ${digest}`).sort()).toEqual(
      pairs.sort(),
    );
    const log = await mount.log();
    for (const digest of digests) {
      expect(log).toMatch(new RegExp(`"${digest}".*A referenced blob is lost`));
    }
  };

  it.each(['a directory', 'radosgw'])('is read from %s as expected', async (place) => {
    const source =
      place === 'radosgw' ? await upload(state, unpacked.directory) : unpacked.directory;
    const mount = await mountLayoutfs(source, { env: credentials() });
    const seen = await readEverything(mount);
    expect(Object.keys(seen).sort()).toEqual(expected.map(([name]) => name).sort());
    for (const [name, repository] of expected) expectRepository(seen[name], repository);
    await expectLossesNamed(source, mount);
    await mount.unmount();
  });
});
