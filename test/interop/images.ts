import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { useMountedBucket } from './mounted-bucket.js';
import type { ReaderName, Reading } from './readers.js';
import { readImage, READERS } from './readers.js';
import { expectedRefusal } from './refusals.js';
import type { Bucket } from './sources.js';
import { imagesOf } from './sources.js';
import type { StoreBucket } from './store-bucket.js';

/**
 * Declare the tests of one bucket: every reader gets the same result from the mount as from a
 * plain local copy, for every tagged image.
 */
export function readImages(bucket: Bucket, store: StoreBucket): void {
  describe(`images of ${bucket.name}`, () => {
    const mounted = useMountedBucket(bucket, store);

    describe.each(Object.keys(READERS) as ReaderName[])('%s', (reader) => {
      it.each(imagesOf(bucket))('reads %s as from a plain copy', async (image) => {
        const colon = image.indexOf(':');
        const read = (root: string): Promise<Reading> =>
          readImage(
            reader,
            join(root, image.slice(0, colon)),
            image.slice(colon + 1),
            mounted.scratch,
          );
        const fromPlain = await once(bucket, `${reader} ${image}`, () => read(mounted.plain));
        const fromMount = await read(mounted.mnt);

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
