import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { keysOf } from '../images/layouts.js';
import { run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { blobCase } from './support/blob-case.js';
import { makeSandbox, type Sandbox } from './support/command.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { corpusOf } from './support/images.js';
import { EIO, ENOENT, readWhole, rightReading } from './support/whole-readers.js';

const BLOBS = {
  app: blobCase('app', 300_000),
  archived: blobCase('archived', 300_000),
  other: blobCase('other', 300_000),
};
const DENIED = { kind: 'status', status: 403, code: 'AccessDenied' } as const;

let store: FaultyStore;
let scratch: string;

beforeAll(async () => {
  const images = Object.values(BLOBS).map(({ image }) => image);
  store = await startFaultyStore(
    keysOf(corpusOf({ 'team/app': images, other: [BLOBS.other.image] }), 'shared'),
  );
  scratch = await makeTemporaryDirectory('fault');
});
afterEach(() => {
  store.proxy.heal();
  store.proxy.forget();
});
afterAll(async () => {
  await store.stop();
  await run('rm', ['-rf', scratch]);
});

describe('a store that may not be listed', () => {
  it('is mounted with a note; what is known by name is read, and nothing else shown', async () => {
    store.proxy.add(DENIED, { operation: 'LIST' });
    const sandbox = await makeSandbox({ env: store.env });
    const mounted = await sandbox.mount(store.source, '--read-timeout', '5s');
    expect(mounted.code).toBe(0);
    expect(mounted.stderr).toMatch(/^layoutfs: .*(list|ListBucket)/);
    expect(mounted.stderr).toContain('s3:ListBucket');

    expect(await skopeo(sandbox, 'team/app', 'app')).toBe(0);
    expect(await skopeo(sandbox, 'other', 'other')).toBe(0);
    expect(await names(`${sandbox.mountpoint}/team/app/blobs/sha256`)).toHaveLength(9);
    const root = await run('ls', [sandbox.mountpoint]);
    expect(root.stderr).toContain('Permission denied');
    for (const name of ['index.json', 'oci-layout', `blobs/sha256/${BLOBS.app.hex}`]) {
      expect(await readWhole('cat', `${sandbox.mountpoint}/nobody/${name}`)).toEqual(ENOENT);
    }
    const doctor = await sandbox.layoutfs('doctor', store.source, '--state-dir', sandbox.home);
    expect(doctor.stdout).toContain('s3:ListBucket');
    expect((await sandbox.layoutfs('umount', sandbox.mountpoint)).code).toBe(0);
  });

  it('from some moment on is EACCES then, said in the log, and no longer when it may', async () => {
    const mount = await store.mount('--refresh', '300ms');
    await runOk('ls', [mount.mountpoint]);
    const path = BLOBS.app.pathIn(mount.mountpoint, 'team/app');
    store.proxy.add(DENIED, { operation: 'LIST' });
    await sleep(350);
    expect((await run('ls', [mount.mountpoint])).stderr).toContain('Permission denied');
    expect(await readWhole('cat', path)).toEqual({ ok: false, error: 'EACCES' });
    expect(await mount.log()).toContain('s3:ListBucket');
    store.proxy.heal();
    expect(await names(mount.mountpoint)).toEqual(['other', 'team']);
    expect(await readWhole('cat', path)).toEqual(rightReading(BLOBS.app.hex));
    await mount.unmount();
  });
});

describe('a store that refuses HEAD', () => {
  it('is read as any other, for nothing asks it', async () => {
    store.proxy.add(DENIED, { operation: 'HEAD' });
    const mount = await store.mount();
    await runOk('ls', ['-lR', mount.mountpoint]);
    for (const blob of Object.values(BLOBS)) {
      const path = blob.pathIn(mount.mountpoint, 'team/app');
      expect(await readWhole('cat', path)).toEqual(rightReading(blob.hex));
    }
    expect(store.proxy.count('HEAD')).toBe(0);
    await mount.unmount();
  });
});

describe('a store that refuses GET', () => {
  it('of one blob makes that EIO, with the permission it takes in the log', async () => {
    store.proxy.add(DENIED, { operation: 'GET', key: BLOBS.app.key });
    const mount = await store.mount();
    const path = BLOBS.app.pathIn(mount.mountpoint, 'team/app');
    expect(await readWhole('cat', path)).toEqual(EIO);
    expect(await mount.log()).toMatch(/denies|s3:GetObject/);
    const other = BLOBS.other.pathIn(mount.mountpoint, 'team/app');
    expect(await readWhole('cat', other)).toEqual(rightReading(BLOBS.other.hex));
    store.proxy.heal();
    expect(await readWhole('cat', path)).toEqual(rightReading(BLOBS.app.hex));
    await mount.unmount();
  });

  it('of everything is told by doctor', async () => {
    store.proxy.add(DENIED, { operation: 'GET' });
    const sandbox = await makeSandbox({ env: store.env });
    const doctor = await sandbox.layoutfs('doctor', store.source, '--state-dir', sandbox.home);
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toContain('s3:GetObject');
  });
});

describe('an archived object', () => {
  const archived = { kind: 'status', status: 403, code: 'InvalidObjectState' } as const;

  it('is EIO, the log says what to do, and it is read once it is restored', async () => {
    const refused = store.proxy.add(archived, { operation: 'GET', key: BLOBS.archived.key });
    const mount = await store.mount();
    const path = BLOBS.archived.pathIn(mount.mountpoint, 'team/app');
    expect(await readWhole('cat', path)).toEqual(EIO);
    expect(refused.hits).toBeGreaterThan(0);
    const log = await mount.log();
    expect(log).toContain('archive storage class: restore it first');
    expect(log).toContain(BLOBS.archived.hex);
    expect((await mount.status()).unresolved).toEqual([]);
    const other = BLOBS.other.pathIn(mount.mountpoint, 'other');
    expect(await readWhole('cat', other)).toEqual(rightReading(BLOBS.other.hex));
    store.proxy.heal();
    expect(await readWhole('cat', path)).toEqual(rightReading(BLOBS.archived.hex));
    await mount.unmount();
  });

  it('that is an index.json is EIO for that repository alone', async () => {
    store.proxy.add(archived, { operation: 'GET', key: 'team/app/index.json' });
    const mount = await store.mount();
    const index = await readWhole('cat', `${mount.mountpoint}/team/app/index.json`);
    expect(index).toEqual(EIO);
    const other = BLOBS.other.pathIn(mount.mountpoint, 'other');
    expect(await readWhole('cat', other)).toEqual(rightReading(BLOBS.other.hex));
    expect(await mount.log()).toContain('restore it first');
    await mount.unmount();
  });
});

async function skopeo(sandbox: Sandbox, repository: string, tag: string): Promise<number> {
  const image = `oci:${sandbox.mountpoint}/${repository}:${tag}`;
  const target = `${scratch}/${tag}`;
  await run('rm', ['-rf', target]);
  return (await run('skopeo', ['copy', '--quiet', image, `dir:${target}`])).code;
}

async function names(path: string): Promise<string[]> {
  return (await runOk('ls', [path])).split('\n').filter((line) => line !== '');
}
