import { chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { NOBODY } from './support/memory-mount.js';

/** What `layoutfs doctor` says of a host, in mount namespaces where something is missing. */

const REPOSITORY = join(import.meta.dirname, '../..');
const MODULES = join(REPOSITORY, 'node_modules');

let home: string;
beforeAll(async () => {
  home = await makeTemporaryDirectory('doctor');
  await mkdir(join(home, 'state'));
  await chown(join(home, 'state'), NOBODY, NOBODY);
});
afterAll(() => rm(home, { recursive: true, force: true }));

const asUser = `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups -- "$@"`;
const openDevice = `mount -t tmpfs none /mnt; mknod -m 0666 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse;`;
const noKoffi = `mount -t tmpfs none ${MODULES}/koffi;`;
const noFuseNative = `mount -t tmpfs none ${MODULES}/fuse-native;`;

it.each<[string, string, number, RegExp[]]>([
  [
    'root, with everything',
    'exec "$@"',
    0,
    [/^ok transport kernel: .*the default/, /^ok transport libfuse/, /^ok other users/],
  ],
  [
    'root without koffi',
    `${noKoffi} exec "$@"`,
    0,
    [
      /^ok transport kernel/,
      /^ok transport libfuse/,
      /^warn koffi: .*npm install koffi/,
      /^ok other/,
    ],
  ],
  [
    'a user',
    `${openDevice} ${asUser}`,
    0,
    [/^ok transport kernel/, /^ok transport libfuse/, /^warn other users: .*user_allow_other/],
  ],
  [
    'a user without koffi',
    `${openDevice} ${noKoffi} ${asUser}`,
    0,
    [/^warn transport kernel: .*npm install koffi/, /^ok transport libfuse/, /^warn other users/],
  ],
  [
    'a user with neither',
    `${openDevice} ${noKoffi} ${noFuseNative} ${asUser}`,
    1,
    [/^fail transport kernel: .*koffi/, /^fail transport libfuse: .*fuse-native/, /^warn other/],
  ],
  [
    'nobody may open the device',
    `mount -t tmpfs none /mnt; mknod -m 0600 /mnt/fuse c 10 229; mount --bind /mnt/fuse /dev/fuse; ${asUser}`,
    1,
    [/^fail transport kernel: .*chmod 0666/, /^fail transport libfuse/, /^warn other users/],
  ],
])('%s', async (_, script, code, expected) => {
  const doctor = [join(REPOSITORY, 'bin/layoutfs'), 'doctor', '--json'];
  const words = ['--mount', '--propagation', 'slave', '--', 'sh', '-ec', script, 'sh', ...doctor];
  const environment = { LAYOUTFS_STATE_DIR: join(home, 'state'), XDG_RUNTIME_DIR: '', HOME: home };
  const outcome = await run('unshare', words, { env: environment });
  const { sections } = JSON.parse(outcome.stdout) as {
    sections: { findings: { check: string; state: string; message: string }[] }[];
  };
  const lines = (sections[0]?.findings ?? [])
    .filter(({ check }) => /transport|koffi|other/.test(check))
    .map(({ check, state, message }) => `${state} ${check}: ${message}`);
  expect(lines).toEqual(expected.map((line) => expect.stringMatching(line) as string));
  expect(outcome.code).toBe(code);
});
