import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach } from 'vitest';

import type { MountStatus } from '../../src/daemon/status.js';
import { type Outcome, run, runOk } from './run.js';
import { makeTemporaryDirectory } from './temporary-directory.js';

const LAYOUTFS = join(import.meta.dirname, '../../bin/layoutfs');

export interface MountLayoutfsOptions {
  /** More words for the command line, such as `--registry plain`. */
  readonly arguments?: readonly string[];
  /** For the command and its daemon, such as `AWS_ACCESS_KEY_ID`. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A real mount, made by the command a user would type. */
export interface MountedLayoutfs {
  /** Touch it through `run` only: a file-system call of the test process would block Node. */
  readonly mountpoint: string;
  status(): Promise<MountStatus>;
  /** `layoutfs refresh` of this mount. */
  refresh(...words: string[]): Promise<Outcome>;
  /** The daemon's log so far. */
  log(): Promise<string>;
  /** Unmount with `layoutfs umount`; later calls do nothing. */
  unmount(): Promise<void>;
}

/** After `layoutfs umount` has given up waiting for the daemon, in ms. */
const LATE_END_MS = 120_000;

const mounted = new Set<MountedLayoutfs>();

// Registered in every test file that imports this module.
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const mount of mounted) {
    console.log(`Log of the mount on ${mount.mountpoint}:\n${await mount.log()}`);
  }
});
afterAll(async () => {
  await Promise.all([...mounted].map((mount) => mount.unmount()));
});

/**
 * Mount `source` with `bin/layoutfs` (of the last build), with state, log and control socket in a
 * directory of its own. What a test does not unmount is unmounted at the end of its file; when a
 * test fails the log is printed.
 * @throws Error with the command's own words when it cannot mount.
 */
export async function mountLayoutfs(
  source: string,
  { arguments: more = [], env = {} }: MountLayoutfsOptions = {},
): Promise<MountedLayoutfs> {
  if (!existsSync(join(LAYOUTFS, '../../dist'))) {
    throw new Error('There is no build: run "npm run build" before tests that mount.');
  }
  const home = await makeTemporaryDirectory('mount');
  const mountpoint = join(home, 'mnt');
  const logFile = join(home, 'log');
  await mkdir(mountpoint);
  const environment = { ...env, XDG_RUNTIME_DIR: join(home, 'run') };
  const layoutfs = (...args: string[]): Promise<string> =>
    runOk(LAYOUTFS, args, { env: environment });

  const mount: MountedLayoutfs = {
    mountpoint,
    status: async () => JSON.parse(await layoutfs('status', mountpoint, '--json')) as MountStatus,
    refresh: (...words) => run(LAYOUTFS, ['refresh', mountpoint, ...words], { env: environment }),
    log: () => readFile(logFile, 'utf8').catch(() => '(no log)'),
    async unmount() {
      if (!mounted.delete(mount)) return;
      try {
        await layoutfs('umount', mountpoint);
      } catch (error) {
        await run('umount', ['-l', mountpoint]);
        // Containers of other tests may have the mount in their mount namespaces for a while.
        const pid = /daemon \(process (\d+)\) has not ended/.exec(String(error))?.[1];
        if (pid === undefined || !(await endsInTime(Number(pid)))) throw error;
      }
      await rm(home, { recursive: true, force: true });
    },
  };
  await mkdir(environment.XDG_RUNTIME_DIR, { mode: 0o700 });
  try {
    const own = ['--state-dir', join(home, 'state'), '--log', logFile, '--log-level', 'debug'];
    await layoutfs('mount', source, mountpoint, ...own, ...more);
  } catch (error) {
    const log = await mount.log();
    await rm(home, { recursive: true, force: true });
    throw new Error(`Cannot mount ${source}. Log:\n${log}`, { cause: error });
  }
  mounted.add(mount);
  return mount;
}

/** Whether a process ends at last; also one that its parent has not waited for. */
async function endsInTime(pid: number): Promise<boolean> {
  const deadline = Date.now() + LATE_END_MS;
  while (Date.now() < deadline) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat === '' || /\) [ZX]/.test(stat)) return true;
    await sleep(200);
  }
  return false;
}
