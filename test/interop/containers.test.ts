import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { corpus, makeRegistry } from '../images/registry.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { mountLayoutfs } from '../support/mount.js';
import { runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';

let scratch = '';
let mount: MountedLayoutfs;

beforeAll(async () => {
  scratch = await makeTemporaryDirectory('containers');
  const { directory } = await makeRegistry(join(scratch, 'bucket'), { layout: 'shared' });
  mount = await mountLayoutfs(`file://${directory}`);
});
afterAll(async () => {
  await mount.unmount();
  await rm(scratch, { recursive: true, force: true });
});

/** The digest of a tag as the corpus has it. */
async function digestOf(repository: string, tag: string): Promise<string> {
  const { repositories } = await corpus();
  const tags = repositories.find(({ name }) => name === repository)?.tags ?? [];
  return tags.find(({ name }) => name === tag)?.digest ?? 'no such tag';
}

/** Run buildah or podman with image storage of the test's own. */
function withStorage(command: 'buildah' | 'podman', ...args: string[]): Promise<string> {
  const storage = ['--root', join(scratch, 'root'), '--runroot', join(scratch, 'run')];
  return runOk(command, [...storage, '--storage-driver', 'vfs', ...args]);
}

/** The digest that an image has in that storage, by the id that was printed last. */
async function storedDigest(command: 'buildah' | 'podman', printed: string): Promise<string> {
  const id = printed.trim().split('\n').at(-1) ?? '';
  const images = await withStorage(command, 'images', '--digests', '--no-trunc');
  return images.split('\n').find((line) => line.includes(id)) ?? `${id} is not in:\n${images}`;
}

it('buildah pulls the image for this machine from an image index', async () => {
  const printed = await withStorage('buildah', 'pull', `oci:${mount.mountpoint}/library/multi:1.0`);
  expect(await storedDigest('buildah', printed)).toContain(await digestOf('library/multi', '1.0'));
});

it('podman pulls an image', async () => {
  const image = `oci:${mount.mountpoint}/library/busybox:1.35`;
  const printed = await withStorage('podman', 'pull', image);
  expect(await storedDigest('podman', printed)).toContain(
    await digestOf('library/busybox', '1.35'),
  );
});

it('podman loads a repository that has one image only', async () => {
  const printed = await withStorage(
    'podman',
    'load',
    '-i',
    join(mount.mountpoint, 'team/app/tools'),
  );
  expect(printed).toContain('Loaded image');
  const images = await withStorage('podman', 'images', '--digests');
  expect(images).toContain(await digestOf('team/app/tools', 'v1'));
});

it('buildah makes a container from an image, with the same files as umoci', async () => {
  const image = `${mount.mountpoint}/team/app:1.0`;
  const container = (await withStorage('buildah', 'from', `oci:${image}`))
    .trim()
    .split('\n')
    .at(-1);
  const root = (await withStorage('buildah', 'mount', container ?? '')).trim();
  const bundle = join(scratch, 'bundle');
  await runOk('umoci', ['unpack', '--image', image, bundle]);
  await runOk('diff', ['-r', '--no-dereference', root, join(bundle, 'rootfs')]);
  expect(await runOk('chroot', [root, '/usr/bin/app'])).toBe(
    'Hello from busybox, built by umoci\n',
  );
  await withStorage('buildah', 'rm', '--all');
});
