import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { type LocalBucket, localBucket } from '../support/local-bucket.js';
import { mountLayoutfs, type MountedLayoutfs } from '../support/mount.js';
import { runOk } from '../support/run.js';

/** What the transport `kernel` costs, counted in requests of the kernel and in bytes of memory. */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const MIB = 1024 * 1024;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const hex = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/**
 * Two repositories with the same blobs in one pool: `count` layers that are not stored, which a
 * listing must not notice, in manifests of 500, and one of 9 MiB.
 */
function registry(count: number) {
  const objects: Record<string, string | Uint8Array> = {};
  const put = (bytes: Uint8Array | string, mediaType: string): Descriptor => {
    objects[`storage/blobs/sha256/${hex(bytes)}`] = bytes;
    return { mediaType, digest: `sha256:${hex(bytes)}`, size: Buffer.byteLength(bytes) };
  };
  const large = put(Buffer.alloc(9 * MIB, 'large'), 'x/y');
  const names = Array.from({ length: count }, (_, index) => hex(`layer ${index}`));
  const manifests: Descriptor[] = [];
  for (let at = 0; at < count; at += 500) {
    const layers = names.slice(at, at + 500).map((name, index) => ({
      mediaType: 'x/y',
      digest: `sha256:${name}`,
      size: 1000 + index,
    }));
    const document = { schemaVersion: 2, mediaType: MANIFEST, layers: [...layers, large] };
    manifests.push(put(JSON.stringify(document), MANIFEST));
  }
  for (const repository of ['one', 'other']) {
    objects[`${repository}/oci-layout`] = '{"imageLayoutVersion":"1.0.0"}';
    objects[`${repository}/index.json`] = JSON.stringify({ schemaVersion: 2, manifests });
  }
  return { objects, names, large: large.digest.replace('sha256:', ''), manifests };
}

/** Requests of the kernel during some work, by kind; none of no kind. */
async function requestsDuring(
  mount: MountedLayoutfs,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const { requests: before } = await mount.status();
  await work();
  const { requests: after } = await mount.status();
  const more = Object.entries(after)
    .map(([kind, count]) => [kind, count - (before[kind] ?? 0)] as const)
    // Asking for the status is one STATFS: the command looks whether the mount is alive.
    .map(([kind, count]) => [kind, kind === 'statfs' ? count - 1 : count] as const);
  return Object.fromEntries(more.filter(([, count]) => count !== 0));
}

const sum = (numbers: Record<string, number>) =>
  Object.values(numbers).reduce((total, count) => total + count, 0);

let bucket: LocalBucket;
let mount: MountedLayoutfs;

/** Long enough that nothing is asked for anew because time has passed. */
const KERNEL = ['--transport', 'kernel', '--refresh', '10m'];

describe('5,000 blobs', () => {
  const { objects, large, names, manifests } = registry(5000);
  const blobs = (repository: string) => join(mount.mountpoint, repository, 'blobs/sha256');

  beforeAll(async () => {
    bucket = await localBucket(objects);
  });
  afterAll(() => bucket.remove());
  afterEach(() => mount.unmount());

  test('ls -l asks at most 60 times, and the next one not at all', async () => {
    mount = await mountLayoutfs(bucket.directory, { arguments: KERNEL });
    let listed = '';
    const list = async () => (listed = await runOk('ls', ['-l', blobs('one')]));
    const cold = await requestsDuring(mount, list);
    const first = listed;
    expect(first.trim().split('\n')).toHaveLength(1 + names.length + manifests.length + 1);
    expect(sum(cold)).toBeLessThanOrEqual(60);
    expect(await requestsDuring(mount, list)).toEqual({});
    expect(listed).toBe(first);
  });

  test('a layer read through one repository is in the kernel for the other', async () => {
    mount = await mountLayoutfs(bucket.directory, { arguments: KERNEL });
    const read = (repository: string) => runOk('sha256sum', [join(blobs(repository), large)]);
    expect(await read('one')).toContain(large);
    // The way to the other one, so that what follows is the layer alone.
    await runOk('ls', [blobs('other')]);
    const before = await mount.status();
    const requests = await requestsDuring(mount, async () =>
      expect(await read('other')).toContain(large),
    );
    expect(requests['read']).toBeUndefined();
    const { counters } = await mount.status();
    expect(counters).toEqual({ ...before.counters, 'blobs.open': counters['blobs.open'] });
  });
});

test('names that are looked up and forgotten leave memory where it was', async () => {
  const NAMES = 20_000;
  const ROUNDS = 4;
  const { objects, names } = registry(NAMES);
  bucket = await localBucket(objects);
  const garbage = new URL('../support/collect-garbage.mjs', import.meta.url).pathname;
  mount = await mountLayoutfs(bucket.directory, {
    arguments: KERNEL,
    env: { NODE_OPTIONS: `--import=${garbage}` },
  });
  const list = join(bucket.directory, 'names');
  await writeFile(list, names.join('\n'));
  const lookUp =
    'chdir shift; open my $names, shift; chomp(@names = <$names>); ' +
    '@names = @names[grep { $_ % 2 == $ARGV[0] } 0 .. $#names]; stat $_ or die $! for @names';
  const script = `cd "$1/one/blobs/sha256"; for i in 0 1; do perl -e "$2" . "$3" $i & done; wait`;
  const lookups = async () => (await mount.status()).requests['lookup'] ?? 0;
  const round = async () => {
    const before = await lookups();
    await runOk('sh', ['-c', script, 'sh', mount.mountpoint, lookUp, list]);
    // Who drops the caches of this machine meanwhile has the kernel forget some names before.
    expect((await lookups()) - before).toBeGreaterThanOrEqual(NAMES);
    // The kernel forgets all names of a file system that is mounted anew, and of no other.
    await runOk('mount', ['-i', '-o', 'remount,ro,nosuid,nodev', mount.mountpoint]);
    const inodes = async () => (await mount.status()).tree.inodes;
    await expect.poll(inodes, { timeout: 60_000 }).toBeLessThan(10);
  };
  const heap = async () => {
    process.kill((await mount.status()).pid, 'SIGUSR2');
    return (await mount.status()).memory.heapBytes;
  };
  await round();
  const before = await heap();
  for (let count = 0; count < ROUNDS; count += 1) await round();
  // The signal may come to the daemon a moment after the question, and names that were withdrawn are
  // kept for some seconds of its own.
  await expect.poll(heap, { timeout: 60_000, interval: 500 }).toBeLessThan(before * 1.05);
  await mount.unmount();
  await bucket.remove();
}, 300_000);
