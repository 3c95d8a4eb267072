import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type UnpackedState, unpackZotState } from '../fixtures/unpack.js';
import { type Outcome, run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { NOBODY } from './support/memory-mount.js';

/** Mounts that somebody else has made, and hands over as an open /dev/fuse: `/dev/fd/N`. */

const LAYOUTFS = join(import.meta.dirname, '../../bin/layoutfs');
const PATH = `${join(LAYOUTFS, '..')}:${process.env['PATH'] ?? ''}`;

let bucket: UnpackedState;
let source: string;
let home: string;
let mountpoint: string;
let environment: NodeJS.ProcessEnv;
const started = new Set<ChildProcess>();

beforeAll(async () => {
  bucket = await unpackZotState('S4');
  await chmod(bucket.directory, 0o755);
  source = `file://${bucket.directory}`;
});
afterAll(() => bucket.remove());

beforeEach(async () => {
  home = await makeTemporaryDirectory('handed');
  mountpoint = join(home, 'mnt');
  await mkdir(mountpoint);
  for (const name of ['run', 'state']) {
    await mkdir(join(home, name), { mode: 0o700 });
    await chown(join(home, name), NOBODY, NOBODY);
  }
  environment = {
    LAYOUTFS_TRANSPORT: 'auto',
    PATH,
    XDG_RUNTIME_DIR: join(home, 'run'),
    HOME: home,
  };
});
afterEach(async () => {
  for (const child of started) child.kill('SIGKILL');
  started.clear();
  await run('umount', ['-l', mountpoint]);
  await rm(home, { recursive: true, force: true });
});

const asNobody = (...command: string[]): Promise<Outcome> =>
  run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', ...command], {
    env: environment,
  });
const names = async () => (await run('ls', [mountpoint])).stdout.split('\n').filter(Boolean);
/** Whether nobody serves; statfs, because the kernel may still know the names of the root itself. */
const isStale = async () =>
  (await run('stat', ['-f', mountpoint])).stderr.includes('not connected');

describe('mount.fuse3 -o drop_privileges', () => {
  const kernelOptions = 'ro,allow_other,default_permissions,max_read=1048576';
  const mountFuse = (...more: string[]) =>
    run(
      'mount.fuse3',
      [
        `layoutfs#${source}`,
        mountpoint,
        '-o',
        [
          'drop_privileges,setuid=nobody,noatime',
          kernelOptions,
          `state_dir=${home}/state`,
          ...more,
        ].join(','),
      ],
      { env: environment },
    );

  it('is served by a user without any privilege, until root unmounts', async () => {
    expect(await mountFuse('include=z')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await names()).toEqual(['z']);
    const { stdout } = await asNobody('layoutfs', 'status', '--json', mountpoint);
    const status = JSON.parse(stdout) as { pid: number };
    expect(status).toMatchObject({ mountpoint, source, transport: 'kernel', state: 'ready' });
    const inside = await runOk('cat', [`/proc/${status.pid}/status`]);
    expect(inside).toMatch(/^CapPrm:\s*0+$/m);
    expect(inside).toMatch(new RegExp(`^Uid:\\s*${NOBODY}\\s`, 'm'));
    // The log is called after the mountpoint, not after the number of a descriptor.
    expect(await runOk('ls', [join(home, 'state/log')])).toMatch(/-mnt\.log\n$/);
    await runOk(LAYOUTFS, ['umount', mountpoint]);
    await expect
      .poll(() => run('ps', ['-o', 'state=', '-p', String(status.pid)]), { timeout: 10_000 })
      .toMatchObject({ stdout: expect.stringMatching(/^Z?\s*$/) as string });
  });

  it('from fstab', async () => {
    const fstab = join(home, 'fstab');
    const options = `${kernelOptions},drop_privileges,setuid=nobody,state_dir=${home}/state,_netdev`;
    // mount(8) forgets PATH, and there is no layoutfs in the standard one.
    await writeFile(fstab, `${LAYOUTFS}#${source} ${mountpoint} fuse3 ${options} 0 0\n`);
    await runOk('mount', ['--fstab', fstab, mountpoint], { env: environment });
    expect(await names()).toContain('zeta');
  });

  it('says on the spot what is wrong', async () => {
    const outcome = await mountFuse('refesh=5s');
    expect(outcome.code).not.toBe(0);
    expect(outcome.stderr).toBe(
      'layoutfs: -o refesh: there is no such option. Did you mean "refresh"?\n',
    );
    // Who mounted has gone, and nobody serves; the next to mount there takes it away.
    expect(await isStale()).toBe(true);
    expect((await mountFuse()).code).not.toBe(0);
    await runOk(LAYOUTFS, ['umount', mountpoint]);
    expect((await mountFuse()).code).toBe(0);
    expect(await names()).toContain('zeta');
  });
});

/** Mount as a container runtime does, and start `layoutfs mount -f` with the device as a number. */
async function handOver(number: number, options: string, ...words: string[]) {
  const device = openSync('/dev/fuse', 'r+');
  const mounting = spawn(
    'mount',
    [
      '-i',
      '-t',
      'fuse',
      '-o',
      `fd=3,rootmode=40000,user_id=0,group_id=0,${options}`,
      'x',
      mountpoint,
    ],
    { stdio: ['ignore', 'inherit', 'inherit', device] },
  );
  expect(await once(mounting, 'exit')).toEqual([0, null]);
  const stdio = Array.from({ length: number + 1 }, (_, fd) =>
    fd === number ? device : fd === 2 ? 'pipe' : 'ignore',
  );
  const command = ['mount', '-f', '--state-dir', join(home, 'state'), ...words];
  const child = spawn(LAYOUTFS, [...command, source, `/dev/fd/${number}`], {
    stdio,
    env: { ...process.env, ...environment },
  });
  closeSync(device);
  started.add(child);
  const daemon = { child, stderr: '' };
  child.stderr?.on('data', (chunk: Buffer) => (daemon.stderr += chunk.toString()));
  return daemon;
}

const ready = (daemon: { stderr: string }) =>
  expect.poll(() => daemon.stderr, { timeout: 20_000 }).toContain('"msg":"Mounted."');

describe('a device handed over in the foreground', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('is closed at %s, with exit code 0', async (signal) => {
    const daemon = await handOver(9, 'ro,default_permissions');
    await ready(daemon);
    expect(daemon.stderr).not.toContain('was made without');
    expect(await names()).toContain('zeta');
    const exit = once(daemon.child, 'exit');
    daemon.child.kill(signal);
    expect(await exit).toEqual([0, null]);
    // Nobody unmounts it.
    expect(await isStale()).toBe(true);
  });

  it('ends when the kernel ends it, also with 3 as its number', async () => {
    const daemon = await handOver(3, 'ro,default_permissions');
    await ready(daemon);
    const exit = once(daemon.child, 'exit');
    await runOk('umount', [mountpoint]);
    expect(await exit).toEqual([0, null]);
  });

  it('without the options it should have is served with a warning', async () => {
    const daemon = await handOver(5, 'nosuid');
    await ready(daemon);
    expect(daemon.stderr).toContain(
      'The mount was made without the options ro,default_permissions',
    );
    const touched = await run('touch', [join(mountpoint, 'new')]);
    expect(touched.stderr).toContain('Read-only file system');
  });
});

it.each([
  [['/dev/fd/0'], /file descriptor 0 is no \/dev\/fuse: hand over a \/dev\/fuse that is mounted/],
  [['--foreground', '/dev/fd/999'], /file descriptor 999 is not open/],
  [
    ['--transport', 'libfuse', '-f', '/dev/fd/0'],
    /"libfuse" cannot serve; use the transport "kernel"/,
  ],
])('%j is refused', async (words, message) => {
  const outcome = await run(
    LAYOUTFS,
    ['mount', '--state-dir', join(home, 'state'), source, ...words],
    { env: environment },
  );
  expect(outcome).toMatchObject({ code: 1, stdout: '' });
  expect(outcome.stderr).toMatch(message);
});
