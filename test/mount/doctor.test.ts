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
  const { lines, code: found } = await examine(script, /transport|koffi|other/);
  expect(lines).toEqual(expected.map((line) => expect.stringMatching(line) as string));
  expect(found).toBe(code);
});

const daemonReads = /^warn passthrough: Cached blobs are read through the daemon\. /.source;
const overlay = `mount -t tmpfs none /mnt; mkdir /mnt/lower /mnt/upper /mnt/work /mnt/merged;
mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/merged;`;

it.each<[string, string, string[], RegExp]>([
  ['a kernel that does', 'exec "$@"', [], /^ok passthrough: The kernel reads .*--cache-dir/],
  [
    'a cache on a plain file system',
    'mount -t tmpfs none /mnt; exec "$@"',
    ['--cache-dir', '/mnt/not/made'],
    /^ok passthrough: .* from \/mnt\/not\/made\.$/,
  ],
  [
    'a cache on overlayfs',
    `${overlay} exec "$@"`,
    ['--cache-dir', '/mnt/merged/not/made'],
    RegExp(`${daemonReads}The cache directory /mnt/merged/not/made is on overlayfs, .* volume`),
  ],
  ['a user', `${openDevice} ${asUser}`, [], RegExp(`${daemonReads}Only root`)],
  [
    'root of a user namespace',
    `${openDevice} exec unshare --user --map-root-user -- "$@"`,
    [],
    RegExp(`${daemonReads}Root of a user namespace`),
  ],
  ['root without koffi', `${noKoffi} exec "$@"`, [], RegExp(`${daemonReads}.*npm install koffi`)],
])('passthrough: %s', async (_, script, options, expected) => {
  const { lines } = await examine(script, /passthrough/, ...options);
  expect(lines).toEqual([expect.stringMatching(expected)]);
});

/** What the doctor finds of these checks, after a script has prepared the host. */
async function examine(script: string, checks: RegExp, ...options: string[]) {
  const doctor = [join(REPOSITORY, 'bin/layoutfs'), 'doctor', '--json', ...options];
  const words = ['--mount', '--propagation', 'slave', '--', 'sh', '-ec', script, 'sh', ...doctor];
  const environment = { LAYOUTFS_STATE_DIR: join(home, 'state'), XDG_RUNTIME_DIR: '', HOME: home };
  const { stdout, code } = await run('unshare', words, { env: environment });
  const { sections } = JSON.parse(stdout) as {
    sections: { findings: { check: string; state: string; message: string }[] }[];
  };
  const lines = (sections[0]?.findings ?? [])
    .filter(({ check }) => checks.test(check))
    .map(({ check, state, message }) => `${state} ${check}: ${message}`);
  return { lines, code };
}
