import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type LocalBucket, localBucket } from '../support/local-bucket.js';
import { mountLayoutfs, type MountedLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';

/** `--hard-links`: what programs that know hard links make of blobs that two repositories share. */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const SHARED_SIZE = 700_000 + 150_000;

interface Blob {
  readonly encoded: string;
  readonly bytes: Buffer;
}

const blob = (bytes: Buffer): Blob => ({
  encoded: createHash('sha256').update(bytes).digest('hex'),
  bytes,
});
const describeBlob = (mediaType: string, { encoded, bytes }: Blob) => ({
  mediaType,
  digest: `sha256:${encoded}`,
  size: bytes.byteLength,
});

const shared = [blob(Buffer.alloc(700_000, 's')), blob(Buffer.alloc(150_000, 't'))];
const own = { a: blob(Buffer.alloc(20_000, 'a')), b: blob(Buffer.alloc(30_000, 'b')) };
const manifests = Object.entries(own).map(([name, layer]) => {
  const layers = [...shared, layer].map((one) => describeBlob(LAYER, one));
  const document = { schemaVersion: 2, mediaType: MANIFEST, layers };
  return { name, blob: blob(Buffer.from(JSON.stringify(document))) };
});
const indexOf = (manifest: Blob) =>
  JSON.stringify({ schemaVersion: 2, manifests: [describeBlob(MANIFEST, manifest)] });

/** Two repositories; their blobs in one pool, or in each of them. */
function registry(layout: 'zot' | 'plain'): Record<string, string | Uint8Array> {
  const objects: Record<string, string | Uint8Array> = {};
  for (const { name, blob: manifest } of manifests) {
    objects[`${name}/oci-layout`] = '{"imageLayoutVersion":"1.0.0"}';
    objects[`${name}/index.json`] = indexOf(manifest);
    const directory = layout === 'zot' ? 'storage/blobs' : `${name}/blobs`;
    const layer = own[name as 'a' | 'b'];
    for (const { encoded, bytes } of [manifest, layer, ...shared]) {
      objects[`${directory}/sha256/${encoded}`] = bytes;
    }
  }
  return objects;
}

let bucket: LocalBucket;
let mount: MountedLayoutfs;
let scratch: string;

/** A shell script whose $1 is the mount and $2 a new directory; its output in lines. */
async function lines(script: string, directory = mount.mountpoint): Promise<string[]> {
  const target = await mkdtemp(join(scratch, 'target-'));
  const out = await runOk('sh', ['-ec', script, 'sh', directory, target]);
  return out.trim().split('\n');
}

/** The names of one file, for each blob that is shared. */
const EXPECTED_LINKS = shared
  .map(({ encoded }) => `a/blobs/sha256/${encoded} b/blobs/sha256/${encoded}`)
  .sort();

/** Names of files with the same inode number below `$2`, one group a line. */
const LINKS_OF_TARGET = `find "$2" -type f -links +1 -printf '%i %P\\n' | sort | awk '
  { names[$1] = names[$1] ? names[$1] " " $2 : $2 } END { for (i in names) print names[i] }' | sort`;

beforeAll(async () => {
  scratch = await makeTemporaryDirectory('hard-links');
  bucket = await localBucket(registry('zot'));
  mount = await mountLayoutfs(bucket.directory, {
    arguments: ['--transport', 'kernel', '--hard-links'],
  });
});
afterAll(async () => {
  await mount.unmount();
  await bucket.remove();
  // Copies of directories are read-only too.
  await runOk('chmod', ['-R', 'u+w', scratch]);
  await runOk('rm', ['-rf', scratch]);
});

describe('a blob that two repositories share', () => {
  test('is one file with several links, and everything else has one', async () => {
    const found = await lines(`cd "$1"; find . -type f -printf '%n %p\\n'`);
    const several = found.filter((line) => line.startsWith('2 ')).sort();
    const blobs = [...manifests.map((one) => one.blob), ...Object.values(own), ...shared];
    // A blob's links are not counted: those of one repository alone say the same.
    expect(several).toHaveLength(blobs.length + shared.length);
    expect(
      found
        .filter((line) => line.startsWith('1 '))
        .map((line) => line.slice(4))
        .sort(),
    ).toEqual(['a/index.json', 'a/oci-layout', 'b/index.json', 'b/oci-layout']);
  });

  test('is counted once by du, on the very first walk', async () => {
    const [both = ''] = await lines('du -sb --apparent-size "$1"');
    const each = await lines('du -sb "$1/a"; du -sb "$1/b"');
    const total = each.reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
    expect(total - Number.parseInt(both, 10)).toBe(SHARED_SIZE);
  });

  test.each([
    ['rsync -aH', 'rsync -aH "$1/a" "$1/b" "$2/"'],
    ['cp -a', 'cp -a "$1/a" "$1/b" "$2/"'],
    ['tar', 'tar -C "$1" -cf - a b | tar -C "$2" -xf -'],
  ])('is copied once by %s, and both names of the copy are one file', async (_, copy) => {
    const script = `${copy}; diff -r "$1/a" "$2/a"; diff -r "$1/b" "$2/b"; ${LINKS_OF_TARGET}`;
    expect(await lines(script)).toEqual(EXPECTED_LINKS);
  });

  test('is stored once in a tar archive of a single pass', async () => {
    const members = await lines('tar -C "$1" -cf - a b | tar -tvf -');
    expect(members.filter((line) => line.startsWith('h'))).toHaveLength(shared.length);
    const [size = ''] = await lines('tar -C "$1" -cf - a b | wc -c');
    expect(Number(size)).toBeLessThan(SHARED_SIZE * 1.5);
  });

  test('still has one link without the option', async () => {
    const plain = await mountLayoutfs(bucket.directory, { arguments: ['--transport', 'kernel'] });
    const found = await lines(`find "$1" -type f -printf '%n\\n' | sort -u`, plain.mountpoint);
    expect(found).toEqual(['1']);
    await plain.unmount();
  });
});

test('repositories that share no blobs share no file', async () => {
  const separate = await localBucket(registry('plain'));
  const plain = await mountLayoutfs(separate.directory, {
    arguments: ['--transport', 'kernel', '--hard-links', '--registry', 'plain'],
  });
  const found = await lines(`find "$1" -type f -printf '%n\\n' | sort -u`, plain.mountpoint);
  expect(found).toEqual(['1']);
  await plain.unmount();
  await separate.remove();
});

test('libfuse refuses the option, and says what to do', async () => {
  const layoutfs = join(import.meta.dirname, '../../bin/layoutfs');
  const mountpoint = await makeTemporaryDirectory('hard-links-refused');
  const own = ['--transport', 'libfuse', '--hard-links', '--state-dir', join(scratch, 'state')];
  const outcome = await run(layoutfs, ['mount', bucket.directory, mountpoint, ...own]);
  await runOk('rmdir', [mountpoint]);
  expect(outcome).toMatchObject({ code: 2, stdout: '' });
  expect(outcome.stderr).toMatch(/--hard-links .*"libfuse".*Add --transport kernel/s);
});
