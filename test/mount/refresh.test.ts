import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { RefreshAnswer } from '../../src/daemon/refresh.js';
import { type LocalBucket, localBucket } from '../support/local-bucket.js';
import { type MountedLayoutfs, mountLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { TEST_TRANSPORT } from './support/memory-mount.js';

/** `layoutfs refresh`: what was pushed is seen at once, however long the refresh interval. */

const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';
const indexOf = (note: string) =>
  JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { note } });

let bucket: LocalBucket;
let mount: MountedLayoutfs;

const push = async (repository: string, note: string) => {
  await bucket.store.put(`${repository}/oci-layout`, Buffer.from(LAYOUT));
  await bucket.store.put(`${repository}/index.json`, Buffer.from(indexOf(note)));
};
/** The note of the version that a new reader sees. */
const seen = async (repository: string): Promise<string> => {
  const text = await runOk('cat', [`${mount.mountpoint}/${repository}/index.json`]);
  return (JSON.parse(text) as { annotations: { note: string } }).annotations.note;
};
/** Through libfuse the kernel asks again in its own time. */
const expectSeen = (repository: string, note: string) =>
  TEST_TRANSPORT === 'kernel'
    ? expect(seen(repository)).resolves.toBe(note)
    : expect.poll(() => seen(repository), { timeout: 10_000 }).toBe(note);
const list = async (path: string) =>
  (await runOk('ls', [`${mount.mountpoint}/${path}`])).trim().split('\n');

beforeAll(async () => {
  bucket = await localBucket({});
  await push('team/a', 'one');
  await push('team/b', 'one');
  const refresh = TEST_TRANSPORT === 'kernel' ? '1h' : '2s';
  mount = await mountLayoutfs(`file://${bucket.directory}`, {
    arguments: ['--refresh', refresh, '--transport', TEST_TRANSPORT],
  });
});
afterAll(async () => {
  await mount.unmount();
  await bucket.remove();
});

describe('with repositories', () => {
  it('shows their new versions, and says which have one', async () => {
    expect([await seen('team/a'), await seen('team/b')]).toEqual(['one', 'one']);
    await push('team/a', 'two');
    expect(await mount.refresh('team/a', 'team/b')).toEqual({
      code: 0,
      stdout: 'team/a  changed\nteam/b  unchanged\n',
      stderr: '',
    });
    await expectSeen('team/a', 'two');
  });

  it('shows a repository that is new, in listings too', async () => {
    expect(await list('team')).toEqual(['a', 'b']);
    await push('team/new', 'first');
    expect(await mount.refresh('--json', '/team/new/')).toMatchObject({ code: 0, stderr: '' });
    expect(await list('team')).toEqual(['a', 'b', 'new']);
    await expectSeen('team/new', 'first');
  });

  it('fails for those that are not there, and does the rest', async () => {
    await push('team/b', 'three');
    const { code, stdout, stderr } = await mount.refresh('--json', 'nothing', 'team/b');
    expect(code).toBe(1);
    expect((JSON.parse(stdout) as RefreshAnswer).repositories).toEqual([
      { repository: 'nothing', outcome: 'absent' },
      { repository: 'team/b', outcome: 'changed' },
    ]);
    expect(stderr).toBe(`layoutfs: nothing is no repository that ${mount.mountpoint} shows.\n`);
    await expectSeen('team/b', 'three');
  });
});

it('without repositories has all compared with the store', async () => {
  await push('team/a', 'four');
  await push('team/newer', 'four');
  expect(await mount.refresh()).toEqual({ code: 0, stdout: '', stderr: '' });
  await expectSeen('team/a', 'four');
  expect(await list('team')).toContain('newer');
});

it('says what it did not find', async () => {
  const refresh = (path: string) => run('bin/layoutfs', ['refresh', path]);
  expect(await refresh('/nowhere/at/all')).toMatchObject({ code: 1, stdout: '' });
  expect((await refresh('/usr')).stderr).toBe('layoutfs: No layoutfs is mounted on /usr.\n');
});

it.runIf(TEST_TRANSPORT === 'kernel')(
  'an index.json is looked up once while it is fresh',
  async () => {
    await seen('team/a');
    const lookups = async () => (await mount.status()).requests['lookup'] ?? 0;
    const before = await lookups();
    for (let again = 0; again < 30; again += 1) await seen('team/a');
    expect((await lookups()) - before).toBeLessThan(5);
  },
);
