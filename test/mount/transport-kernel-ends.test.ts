import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, expect, test } from 'vitest';

import { readMountTable, topMount } from '../../src/fuse/mount-table.js';
import { localBucket } from '../support/local-bucket.js';
import { run as runCommand, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { compileDaemon, disposeMounts, IS_ROOT, MemoryMount } from './support/memory-mount.js';
import { Reader } from './support/reader.js';

/**
 * However a mount of the transport `kernel` ends, it leaves no mount, no thread and no process in
 * the kernel: a hundred ends, in three tests.
 */

const ROUNDS_IN_ONE_PROCESS = 60;
const DEATHS = 32;
const SIGNALS = 8;

/** Nothing here is about speed: what never ends is told by the limits, however busy the machine is, in ms. */
const AT_ONCE_MS = 30_000;
const TEST_MS = 600_000;

const run = promisify(execFile);
const kernel = { transport: 'kernel' } as const;
const text = { content: Buffer.from('text') };
const slow = { content: Buffer.from('slow'), readDelay: 60_000 };

const cat = async (path: string): Promise<string> => (await run('cat', [path])).stdout;
const mountedOn = async (path: string) => topMount(await readMountTable(), path);
const threadsOf = async (pid: number | undefined) =>
  (await readdir(`/proc/${pid ?? 0}/task`)).length;

beforeAll(compileDaemon);
afterEach(disposeMounts);

/** One way to end a mount from without; answers when the mount has ended. */
type End = (mount: MemoryMount) => Promise<unknown>;

const outside =
  (program: string, ...options: string[]): End =>
  async (mount) => {
    await run(program, [...options, mount.directory]);
    await mount.waitForEnd();
  };

const ends: readonly End[] = [
  (mount) => mount.unmount(),
  outside('umount'),
  outside('fusermount3', '-u'),
  // While a file is open: it can be read until it is closed.
  async (mount) => {
    const reader = await Reader.open(mount.path('dir/file'));
    await run('umount', ['-l', mount.directory]);
    expect(await reader.read()).toBe('text');
    await reader.close();
    await mount.waitForEnd();
  },
  // By force, with a reader in the middle of a request; only root can.
  async (mount) => {
    if (!IS_ROOT) return mount.unmount();
    const before = (await reads(mount)) ?? 0;
    const reading = inTheMiddle(mount);
    await expect.poll(() => reads(mount), { timeout: AT_ONCE_MS }).toBe(before + 1);
    await outside('umount', '-f', '-l')(mount);
    expect(await reading).toMatch(/abort|not connected|Input\/output/i);
  },
];

/** Read what is never answered; how that ends. */
const inTheMiddle = (mount: MemoryMount) =>
  cat(mount.path('slow')).catch((error: unknown) => String(error));

/** READ requests to the mount so far. */
const reads = async (mount: MemoryMount) => (await mount.report()).requests['read'];

test(
  `${ROUNDS_IN_ONE_PROCESS} ends of mounts that one process makes`,
  async () => {
    const mount = await MemoryMount.startDaemon();
    await mount.put('/dir/file', text);
    await mount.put('/slow', { ...slow, readDelay: 300 });
    const threads = await threadsOf(mount.daemon.pid);
    for (let round = 0; round < ROUNDS_IN_ONE_PROCESS; round += 1) {
      await mount.mount(kernel);
      expect(await cat(mount.path('dir/file'))).toBe('text');
      await ends[round % ends.length]?.(mount);
      expect(await mountedOn(mount.directory)).toBeUndefined();
    }
    expect(await threadsOf(mount.daemon.pid)).toBe(threads);
    const { owed, errors } = await mount.report();
    expect(owed).toEqual({ references: 0, handles: 0 });
    expect(errors).toEqual([]);
    expect(await openDevices(mount)).toBe(0);
  },
  TEST_MS,
);

/** Ways for a process to die, and what its mount is afterwards. */
const deaths: readonly { die: (mount: MemoryMount) => Promise<unknown>; stale: boolean }[] = [
  { die: async (mount) => expect(await mount.leave('exit')).toBe(7), stale: false },
  { die: async (mount) => expect(await mount.leave('crash')).toBe(1), stale: false },
  // Nobody can take the mount away then; readers fail at once all the same.
  { die: (mount) => mount.kill('SIGKILL'), stale: true },
  { die: (mount) => mount.kill('SIGSEGV'), stale: true },
];

test(
  `${DEATHS} deaths of a process with a reader in the middle of a request`,
  async () => {
    const start = () => MemoryMount.start({ '/slow': slow }, kernel);
    let next = start();
    for (let round = 0; round < DEATHS; round += 1) {
      const mount = await next;
      if (round + 1 < DEATHS) {
        next = start();
        // Awaited in the next round, if there is one.
        next.catch(() => undefined);
      }
      const reading = inTheMiddle(mount);
      await expect.poll(() => reads(mount), { timeout: AT_ONCE_MS }).toBe(1);
      const death = deaths[round % deaths.length];
      await death?.die(mount);
      expect(await reading).toMatch(/abort|not connected|Input\/output/i);
      expect((await mountedOn(mount.directory)) !== undefined).toBe(death?.stale);
      await mount.dispose();
      expect(await mountedOn(mount.directory)).toBeUndefined();
    }
  },
  TEST_MS,
);

test(
  `${SIGNALS} signals to a daemon`,
  async () => {
    const bucket = await localBucket({
      'r/oci-layout': '{"imageLayoutVersion":"1.0.0"}',
      'r/index.json': '{"schemaVersion":2,"manifests":[]}',
    });
    const home = await makeTemporaryDirectory('signals');
    const mountpoint = join(home, 'mnt');
    await runOk('mkdir', [mountpoint]);
    const layoutfs = (...args: string[]) =>
      runOk(join(import.meta.dirname, '../../bin/layoutfs'), args, {
        env: { XDG_RUNTIME_DIR: home },
      });
    const own = ['--state-dir', join(home, 'state'), '--log', join(home, 'log')];
    try {
      for (let round = 0; round < SIGNALS; round += 1) {
        await layoutfs('mount', bucket.directory, mountpoint, '--transport', 'kernel', ...own);
        const { pid } = JSON.parse(await layoutfs('status', '--json', mountpoint)) as {
          pid: number;
        };
        // Every other time somebody has a file open, so that the mount can only be detached first.
        const reader =
          round % 2 === 0 ? undefined : await Reader.open(join(mountpoint, 'r/index.json'));
        process.kill(pid, round % 4 < 2 ? 'SIGTERM' : 'SIGINT');
        await expect.poll(() => mountedOn(mountpoint), { timeout: AT_ONCE_MS }).toBeUndefined();
        await expect.poll(() => isAlive(pid), { timeout: AT_ONCE_MS }).toBe(false);
        await reader?.close();
      }
    } finally {
      await runCommand('umount', ['-l', mountpoint]);
      await runOk('rm', ['-rf', home]);
      await bucket.remove();
    }
  },
  TEST_MS,
);

test('a mount that is refused, time and again', async () => {
  const mount = await MemoryMount.startDaemon({ env: { PATH: '/nonexistent' } });
  await mount.report();
  const before = await threadsOf(mount.daemon.pid);
  for (let round = 0; round < 3; round += 1) {
    await expect(mount.mount(kernel)).rejects.toThrow(/program .* is not installed/);
  }
  expect(await threadsOf(mount.daemon.pid)).toBe(before);
  expect(await openDevices(mount)).toBe(0);
});

/** Whether there is a process that is more than an entry in its parent's table. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) [ZX]/.test(stat);
}

/** Descriptors of the daemon that are FUSE devices. */
async function openDevices(mount: MemoryMount): Promise<number> {
  const directory = `/proc/${mount.daemon.pid ?? 0}/fdinfo`;
  const infos = await Promise.all(
    (await readdir(directory)).map((fd) => readFile(`${directory}/${fd}`, 'utf8').catch(() => '')),
  );
  return infos.filter((info) => info.includes('fuse_connection')).length;
}
