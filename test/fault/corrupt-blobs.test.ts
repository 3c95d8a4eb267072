import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { keysOf } from '../images/layouts.js';
import { sha256 } from '../images/corpus.js';
import type { MountedLayoutfs } from '../support/mount.js';
import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { type FaultyStore, startFaultyStore } from './support/faulty-store.js';
import { blobPath, corpusOf, makeImage, seededBytes, sharedKey } from './support/images.js';
import {
  EIO,
  readWhole,
  rightReading,
  WHOLE_READERS,
  type WholeReader,
} from './support/whole-readers.js';

const SIZES = { small: 5_000, medium: 3 * 1024 ** 2, large: 20 * 1024 ** 2 };
const POSITIONS = {
  first: () => 0,
  middle: (size: number) => Math.floor(size / 2),
  last: (size: number) => size - 1,
};

/** A blob for each case, for a blob that was verified once is treated otherwise. */
const cases = Object.entries(SIZES).flatMap(([name, size]) =>
  Object.entries(POSITIONS).map(([position, offsetIn]) => {
    const tag = `${name}-${position}`;
    const layer = seededBytes(tag, size);
    const digest = sha256(layer);
    const hex = digest.slice('sha256:'.length);
    return { tag, digest, hex, offset: offsetIn(size), image: makeImage(tag, [layer]) };
  }),
);
const images = cases.map(({ image }) => image);
const READERS = Object.keys(WHOLE_READERS) as WholeReader[];

let store: FaultyStore;
let mount: MountedLayoutfs;
let scratch: string;

beforeAll(async () => {
  store = await startFaultyStore(
    keysOf(corpusOf({ 'team/app': images, 'team/copy': images }), 'shared'),
  );
  mount = await store.mount();
  scratch = await makeTemporaryDirectory('fault');
});
afterAll(async () => {
  await mount.unmount();
  await store.stop();
  await run('rm', ['-rf', scratch]);
});

describe('one bit flipped on the way from the store', () => {
  it.for(cases)('$tag byte: nobody reads the blob whole; healed, everybody does', async (blob) => {
    const paths = ['team/app', 'team/copy'].map((name) =>
      join(mount.mountpoint, blobPath(name, blob.digest)),
    );
    const [path = '', copyPath = ''] = paths;
    const flip = store.proxy.add(
      { kind: 'flipBit', offset: blob.offset, bit: 3 },
      { operation: 'GET', key: sharedKey(blob.digest) },
    );
    for (const reader of READERS) {
      expect.soft(await readWhole(reader, path), reader).toEqual(EIO);
    }
    expect.soft(await skopeo('team/app', blob.tag), 'skopeo').not.toBe(0);
    expect(flip.hits).toBeGreaterThanOrEqual(READERS.length);

    store.proxy.heal();
    // The other path first: what it reads must not come from what the first readers left.
    expect.soft(await readWhole('cat', copyPath)).toEqual(rightReading(blob.hex));
    for (const reader of READERS) {
      expect.soft(await readWhole(reader, path), reader).toEqual(rightReading(blob.hex));
    }
    expect.soft(await skopeo('team/app', blob.tag), 'skopeo').toBe(0);
  });

  it('is logged and counted', async () => {
    const { counters } = await mount.status();
    expect(counters['blobs.mismatch']).toBeGreaterThanOrEqual(cases.length);
    const log = await mount.log();
    for (const { digest } of cases) {
      const lines = log.split('\n').filter((line) => line.includes(digest));
      expect(lines.join('\n')).toContain('do not hash to');
    }
  });
});

async function skopeo(repository: string, tag: string): Promise<number> {
  const image = `oci:${join(mount.mountpoint, repository)}:${tag}`;
  const target = join(scratch, tag);
  await run('rm', ['-rf', target]);
  return (await run('skopeo', ['copy', '--quiet', image, `dir:${target}`])).code;
}
