import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { MountedLayoutfs } from '../support/mount.js';
import { mountLayoutfs } from '../support/mount.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import type { ReaderName, Reading } from './readers.js';
import { readImage, READERS } from './readers.js';
import { expectedRefusal } from './refusals.js';
import type { Bucket } from './sources.js';
import { imagesOf } from './sources.js';
import { writePlainCopy } from './view.js';

/** A bucket in a store: what to type after `layoutfs mount`, and the environment to type it in. */
export interface StoredBucket {
  readonly source: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Declare the tests of one bucket: every reader gets the same result from the mount as from a
 * plain local copy, for every tagged image. `store` puts the bucket into a store; `scratch` is an
 * empty directory that is removed afterwards.
 */
export function compareImages(
  bucket: Bucket,
  store: (bucket: Bucket, scratch: string) => Promise<StoredBucket>,
): void {
  describe(bucket.name, () => {
    let scratch = '';
    let plain = '';
    let mount: MountedLayoutfs;

    beforeAll(async () => {
      scratch = await makeTemporaryDirectory('interop');
      plain = join(scratch, 'plain');
      await writePlainCopy(plain, bucket.repositories);
      const { source, env = {} } = await store(bucket, join(scratch, 'store'));
      mount = await mountLayoutfs(source, { arguments: bucket.mountOptions, env });
    });
    afterAll(async () => {
      await mount.unmount();
      await rm(scratch, { recursive: true, force: true });
    });

    describe.each(Object.keys(READERS) as ReaderName[])('%s', (reader) => {
      it.each(imagesOf(bucket))('reads %s as from a plain copy', async (image) => {
        const colon = image.indexOf(':');
        const read = (root: string): Promise<Reading> =>
          readImage(reader, join(root, image.slice(0, colon)), image.slice(colon + 1), scratch);
        const fromPlain = await once(bucket, `${reader} ${image}`, () => read(plain));
        const fromMount = await read(mount.mountpoint);

        const refusal = expectedRefusal(reader, image, bucket.lossy);
        for (const { code, stderr } of [fromPlain, fromMount]) {
          expect(code, stderr).toBe(refusal === undefined ? 0 : 1);
          if (refusal !== undefined) expect(stderr).toMatch(refusal.says);
        }
        expect(fromMount.result).toBe(fromPlain.result);
      });
    });
  });
}

/** Readings of plain copies: the same in every layout of the same images. */
const readings = new Map<Bucket['repositories'], Map<string, Reading>>();

async function once(
  { repositories }: Bucket,
  what: string,
  read: () => Promise<Reading>,
): Promise<Reading> {
  const known = readings.get(repositories) ?? new Map<string, Reading>();
  readings.set(repositories, known);
  const reading = known.get(what) ?? (await read());
  known.set(what, reading);
  return reading;
}
