import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

import { type Outcome, run } from '../../support/run.js';
import { makeTemporaryDirectory } from '../../support/temporary-directory.js';

/** The command under test. */
export const LAYOUTFS = join(import.meta.dirname, '../../../bin/layoutfs');

/** A place for one test's mounts: mountpoint, state, log and control sockets of their own. */
export interface Sandbox {
  readonly home: string;
  readonly mountpoint: string;
  readonly log: string;
  /** Run the command as a user would, in a bounded time. */
  layoutfs(...words: string[]): Promise<Outcome>;
  /** `layoutfs mount` with this sandbox's state and log. */
  mount(source: string, ...words: string[]): Promise<Outcome>;
}

export interface SandboxOptions {
  /** Added to the environment; `undefined` takes a variable away. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Longest time for any command here, in ms: an error that comes later is no help. */
const TIMEOUT = 40_000;

/** Make a sandbox; it is unmounted and removed when the test ends. */
export async function makeSandbox({ env = {} }: SandboxOptions = {}): Promise<Sandbox> {
  const home = await makeTemporaryDirectory('fault');
  const mountpoint = join(home, 'mnt');
  const log = join(home, 'log');
  await mkdir(mountpoint);
  await mkdir(join(home, 'run'), { mode: 0o700 });
  const environment = { ...env, XDG_RUNTIME_DIR: join(home, 'run') };
  const layoutfs = (...words: string[]): Promise<Outcome> =>
    run(LAYOUTFS, words, { env: environment, timeout: TIMEOUT });
  onTestFinished(async () => {
    await run('umount', ['-l', mountpoint]);
    await rm(home, { recursive: true, force: true });
  });
  return {
    home,
    mountpoint,
    log,
    layoutfs,
    mount: (source, ...words) => {
      const own = ['--state-dir', join(home, 'state'), '--log', log];
      return layoutfs('mount', source, mountpoint, ...own, ...words);
    },
  };
}

/** Whether something is mounted at a path; answered without touching it. */
export async function isMounted(mountpoint: string): Promise<boolean> {
  return (await run('grep', ['-qF', ` ${mountpoint} `, '/proc/self/mounts'])).code === 0;
}
