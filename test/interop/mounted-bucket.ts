import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll } from 'vitest';

import type { MountedLayoutfs } from '../support/mount.js';
import { mountLayoutfs } from '../support/mount.js';
import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import type { Bucket } from './sources.js';
import type { StoreBucket } from './store-bucket.js';
import { writePlainCopy } from './view.js';

/** Filled before the first test of the enclosing `describe`, and cleaned up after its last. */
export interface MountedBucket {
  /** Mount point. */
  mnt: string;
  /** What was mounted. */
  source: string;
  /** The same repositories as plain OCI image layouts on local disk. */
  plain: string;
  /** For the tests to write to. */
  scratch: string;
}

/** Store a bucket, mount it, and write the plain copy that the mount is compared with. */
export function useMountedBucket(bucket: Bucket, store: StoreBucket): MountedBucket {
  const mounted: MountedBucket = { mnt: '', source: '', plain: '', scratch: '' };
  let mount: MountedLayoutfs | undefined;

  beforeAll(async () => {
    mounted.scratch = await makeTemporaryDirectory('interop');
    mounted.plain = join(mounted.scratch, 'plain');
    await writePlainCopy(mounted.plain, bucket.repositories);
    const { source, env = {} } = await store(bucket, join(mounted.scratch, 'store'));
    mount = await mountLayoutfs(source, { arguments: bucket.mountOptions, env });
    mounted.source = source;
    mounted.mnt = mount.mountpoint;
  });
  afterAll(async () => {
    await mount?.unmount();
    // Copies are read-only too, which keeps an ordinary user from removing what is in them.
    await run('chmod', ['-R', 'u+w', mounted.scratch]);
    await rm(mounted.scratch, { recursive: true, force: true });
  });
  return mounted;
}
