import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { corpus } from '../images/registry.js';
import { runOk } from '../support/run.js';
import { useMountedBucket } from './mounted-bucket.js';
import type { Bucket } from './sources.js';
import type { StoreBucket } from './store-bucket.js';

const IS_ROOT = process.getuid?.() === 0;

type Engine = 'buildah' | 'podman';

/** The digest of a tag as the corpus has it. */
async function digestOf(repository: string, tag: string): Promise<string> {
  const { repositories } = await corpus();
  const tags = repositories.find(({ name }) => name === repository)?.tags ?? [];
  return tags.find(({ name }) => name === tag)?.digest ?? 'no such tag';
}

/** Declare the tests of buildah and podman on the mount of a bucket, which holds the test images. */
export function runContainers(bucket: Bucket, store: StoreBucket): void {
  describe(`containers from ${bucket.name}`, () => {
    const mounted = useMountedBucket(bucket, store);

    /** Run buildah or podman with image storage of the test's own. */
    const withStorage = (command: Engine, ...args: string[]): Promise<string> => {
      // Podman refuses a runroot of more than 50 characters, hence the short name.
      const directories = [
        '--root',
        join(mounted.scratch, 'root'),
        '--runroot',
        join(mounted.scratch, 'run'),
      ];
      return runOk(command, [...directories, '--storage-driver', 'vfs', ...args]);
    };

    afterAll(async () => {
      // For an ordinary user podman keeps a process that holds their namespaces; this ends it.
      if (!IS_ROOT) await withStorage('podman', 'system', 'migrate');
    });

    /** The digest that an image has in that storage, by the id that was printed last. */
    const storedDigest = async (command: Engine, printed: string): Promise<string> => {
      const id = printed.trim().split('\n').at(-1) ?? '';
      const images = await withStorage(command, 'images', '--digests', '--no-trunc');
      return images.split('\n').find((line) => line.includes(id)) ?? `${id} is not in:\n${images}`;
    };

    it('buildah pulls the image for this machine from an image index', async () => {
      const printed = await withStorage('buildah', 'pull', `oci:${mounted.mnt}/library/multi:1.0`);
      expect(await storedDigest('buildah', printed)).toContain(
        await digestOf('library/multi', '1.0'),
      );
    });

    it('podman pulls an image', async () => {
      const image = `oci:${mounted.mnt}/library/busybox:1.35`;
      const printed = await withStorage('podman', 'pull', image);
      expect(await storedDigest('podman', printed)).toContain(
        await digestOf('library/busybox', '1.35'),
      );
    });

    it('podman loads a repository that has one image only', async () => {
      const repository = join(mounted.mnt, 'team/app/tools');
      const printed = await withStorage('podman', 'load', '-i', repository);
      expect(printed).toContain('Loaded image');
      const images = await withStorage('podman', 'images', '--digests');
      expect(images).toContain(await digestOf('team/app/tools', 'v1'));
    });

    // Who is not root sees it in a namespace of its own only.
    it.runIf(IS_ROOT)(
      'buildah makes a container from an image, with the same files as umoci',
      async () => {
        const image = `${mounted.mnt}/team/app:1.0`;
        const container = (await withStorage('buildah', 'from', '--quiet', `oci:${image}`)).trim();
        const root = (await withStorage('buildah', 'mount', container)).trim();
        const bundle = join(mounted.scratch, 'bundle');
        await runOk('umoci', ['unpack', '--image', image, bundle]);
        await runOk('diff', ['-r', '--no-dereference', root, join(bundle, 'rootfs')]);
        expect(await runOk('chroot', [root, '/usr/bin/app'])).toBe(
          'Hello from busybox, built by umoci\n',
        );
        await withStorage('buildah', 'rm', '--all');
      },
    );
  });
}
