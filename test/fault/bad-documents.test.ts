import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { INDEX, MANIFEST, sha256 } from '../images/corpus.js';
import { type MountedLayoutfs, mountLayoutfs } from '../support/mount.js';
import { run, runOk } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { blobCase } from './support/blob-case.js';
import { blobPath, describeBytes, makeImage, seededBytes, sharedKey } from './support/images.js';
import {
  GOOD,
  indexOf,
  type LocalRegistry,
  makeLocalRegistry,
  repositoryKeys,
  tagged,
} from './support/local-registry.js';
import { EIO, ENOENT, readWhole, rightReading } from './support/whole-readers.js';

const REFRESH_MS = 200;
const HUGE_TAGS = 100_000;
/** What a mount may hold in memory with a 30 MB index open: that, parsed, and the runtime. */
const RSS_BOUND = 600 * 1024 ** 2;

let registry: LocalRegistry;
let mount: MountedLayoutfs;
let scratch: string;

beforeAll(async () => {
  registry = await makeLocalRegistry();
  mount = await mountLayoutfs(`file://${registry.directory}`, {
    arguments: ['--refresh', `${REFRESH_MS}ms`, '--read-timeout', '5s'],
  });
  scratch = await makeTemporaryDirectory('fault');
});
afterEach(async () => {
  const good = GOOD.blob.pathIn(mount.mountpoint, GOOD.repository);
  expect(await readWhole('dd iflag=direct', good)).toEqual(rightReading(GOOD.blob.hex));
  expect(await runOk('ls', [mount.mountpoint])).toContain(GOOD.repository);
});
afterAll(async () => {
  await mount.unmount();
  await registry.remove();
  await run('rm', ['-rf', scratch]);
});

describe('an index.json that', () => {
  it.for([
    { name: 'truncated', index: indexOf([GOOD.blob.image.descriptor]).slice(0, 90) },
    { name: 'not-json', index: '<html>503</html>' },
    { name: 'a-list', index: '[]' },
    { name: 'text-manifests', index: '{"schemaVersion":2,"manifests":"none"}' },
    { name: 'deep', index: `{"schemaVersion":2,"manifests":${'['.repeat(200_000)}` },
    { name: 'binary', index: seededBytes('binary', 5000) },
  ])('is $name is shown as it is, and logged', async ({ name, index }) => {
    await publish(repositoryKeys(name, index));
    const shown = await readWhole('cat', at(name, 'index.json'));
    expect(shown).toEqual(rightReading(hexOf(Buffer.from(index))));
    expect(await names(name, 'blobs/sha256')).toEqual([]);
    const copied = await skopeo(name, 'latest');
    expect(copied.code).toBe(1);
    expect(await logOf(name)).toContain('is not an image index');
  });

  it('is empty is EIO, as it may still be being written', async () => {
    await publish(repositoryKeys('empty', ''));
    expect(await readWhole('cat', at('empty', 'index.json'))).toEqual(EIO);
    expect(await logOf('empty')).toContain('is empty in the store');
    await publish(repositoryKeys('empty', indexOf([GOOD.blob.image.descriptor])));
    expect((await skopeo('empty', 'good')).code).toBe(0);
  });

  it('breaks while it is in use leaves the blobs of the last good version', async () => {
    await publish(repositoryKeys('breaks', indexOf([GOOD.blob.image.descriptor])));
    expect((await skopeo('breaks', 'good')).code).toBe(0);
    await publish(repositoryKeys('breaks', '{"schemaVersion":2,"mani'));
    expect(await readWhole('cat', at('breaks', 'index.json'))).toMatchObject({ ok: true });
    expect(await readWhole('cat', GOOD.blob.pathIn(mount.mountpoint, 'breaks'))).toEqual(
      rightReading(GOOD.blob.hex),
    );
  });

  it(`has ${HUGE_TAGS} tags opens soon, in bounded memory`, async () => {
    const { descriptor } = GOOD.blob.image;
    const entries = Array.from({ length: HUGE_TAGS }, (_, i) => tagged(descriptor, `tag-${i}`));
    const index = Buffer.from(indexOf(entries));
    await publish(repositoryKeys('huge', index));
    const started = Date.now();
    expect(await readWhole('sha256sum', at('huge', 'index.json'))).toEqual(
      rightReading(hexOf(index)),
    );
    expect(Date.now() - started).toBeLessThan(10_000);
    expect((await skopeo('huge', `tag-${HUGE_TAGS - 1}`)).code).toBe(0);
    expect(await names('huge', 'blobs/sha256')).toHaveLength(GOOD.blob.image.blobs.size);
    expect((await mount.status()).memory.rssBytes).toBeLessThan(RSS_BOUND);
  });

  it('has entries that are no descriptors shows the others', async () => {
    const { descriptor } = GOOD.blob.image;
    const hex = 'a'.repeat(64);
    const entries = [
      null,
      7,
      'text',
      [],
      {},
      ...[`sha256:${hex.toUpperCase()}`, 'sha256:abc', 'sha256:', hex, 'sha256:../../etc/passwd'],
      ...[
        'md5:d41d8cd98f00b204e9800998ecf8427e',
        `sha256:${hex}/x`,
        `sha256:${hex}\n`,
        '',
        7,
        null,
      ],
    ].map((value) =>
      typeof value === 'string' || value === 7 ? tagged(descriptor, 'x', { digest: value }) : value,
    );
    const sizes = [-1, 1.5, '7', null, 1e300, Number.MAX_SAFE_INTEGER + 1].map((size) =>
      tagged(descriptor, 'size', { digest: `sha256:${hex}`, size }),
    );
    await publish(repositoryKeys('odd-entries', indexOf([...entries, ...sizes, descriptor])));
    const shown = await names('odd-entries', 'blobs/sha256');
    expect(shown).toEqual(
      [...GOOD.blob.image.blobs.keys()].map((digest) => digest.slice(7)).sort(),
    );
    expect(await readWhole('cat', GOOD.blob.pathIn(mount.mountpoint, 'odd-entries'))).toEqual(
      rightReading(GOOD.blob.hex),
    );
    expect(await readWhole('cat', at('odd-entries', `blobs/sha256/${hex}`))).toEqual(ENOENT);
    expect(await logOf('odd-entries')).toContain('malformed descriptors');
  });
});

describe('manifests', () => {
  it('that refer to each other in a circle end, and are not served', async () => {
    // Only forged content can: each name is the hash of something else.
    const names = ['a', 'b'].map((letter) => `sha256:${letter.repeat(64)}`);
    const [first = '', second = ''] = names;
    const forged = (child: string): Buffer =>
      Buffer.from(indexOf([{ mediaType: INDEX, digest: child, size: 250 }]).padEnd(250));
    await publish([
      ...repositoryKeys('circle', indexOf([{ mediaType: INDEX, digest: first, size: 250 }])),
      [sharedKey(first), forged(second)],
      [sharedKey(second), forged(first)],
    ]);
    const listed = await runOk('ls', [at('circle', 'blobs/sha256')], { timeout: 10_000 });
    expect(listed.split('\n').filter(Boolean)).toEqual([first.slice(7)]);
    expect(await readWhole('cat', at('circle', blobPath('.', first)))).toEqual(EIO);
    expect(await readWhole('cat', at('circle', blobPath('.', second)))).toEqual(ENOENT);
    expect(await logOf('circle')).toContain('cannot be read');
  });

  it.for([
    { depth: 50, shown: 50 + GOOD.blob.image.blobs.size },
    // Deeper than any image: what lies below the limit is not followed.
    { depth: 500, shown: 65 },
  ])('nested $depth deep, each a hundred times in the next, end', async ({ depth, shown }) => {
    const keys: [string, Buffer][] = [];
    let inner: unknown = GOOD.blob.image.descriptor;
    for (let level = 0; level < depth; level++) {
      const bytes = Buffer.from(indexOf(Array.from({ length: 100 }, () => inner)));
      keys.push([sharedKey(sha256(bytes)), bytes]);
      inner = describeBytes(INDEX, bytes);
    }
    await publish([...repositoryKeys(`nested-${depth}`, indexOf([inner])), ...keys]);
    expect(await names(`nested-${depth}`, 'blobs/sha256')).toHaveLength(shown);
  });

  it('whose descriptor lies about the size are not served, but followed', async () => {
    const lie = blobCase('lie', 3000);
    const { descriptor, blobs } = lie.image;
    const index = indexOf([{ ...descriptor, size: descriptor.size + 1 }]);
    await publish([
      ...repositoryKeys('lying-index', index),
      ...[...blobs].map(([digest, bytes]) => [sharedKey(digest), bytes] as const),
    ]);
    expect(await readWhole('cat', at('lying-index', blobPath('.', descriptor.digest)))).toEqual(
      EIO,
    );
    expect(await readWhole('cat', lie.pathIn(mount.mountpoint, 'lying-index'))).toEqual(
      rightReading(lie.hex),
    );
    expect((await skopeo('lying-index', 'lie')).code).toBe(1);
    expect(await logOf(descriptor.digest)).toContain('another size than its descriptor claims');
  });

  it.for([
    { name: 'shorter', by: -1 },
    { name: 'longer', by: 1 },
    { name: 'enormously longer', by: 2 ** 50 },
    { name: 'as long as can be', by: Number.MAX_SAFE_INTEGER - 3000 },
    { name: 'empty', by: -3000 },
  ])('that say a layer is $name make that layer EIO', async ({ name: words, by }) => {
    const name = words.replaceAll(' ', '-');
    const layer = seededBytes(`layer ${name}`, 3000);
    const honest = makeImage(name, [layer]);
    const text = honest.blobs.get(honest.descriptor.digest)?.toString() ?? '';
    const manifest = Buffer.from(text.replaceAll('"size":3000', `"size":${3000 + by}`));
    expect(manifest.toString()).not.toBe(text);
    const index = indexOf([tagged(describeBytes(MANIFEST, manifest), name)]);
    await publish([
      ...repositoryKeys(`lying-${name}`, index),
      ...[...honest.blobs].map(([digest, bytes]) => [sharedKey(digest), bytes] as const),
      [sharedKey(sha256(manifest)), manifest],
    ]);
    const path = at(`lying-${name}`, blobPath('.', sha256(layer)));
    expect(await runOk('stat', ['-c', '%s', path])).toBe(`${3000 + by}\n`);
    expect(await readWhole('cat', path)).toEqual(EIO);
    expect((await skopeo(`lying-${name}`, name)).code).toBe(1);
    expect((await runOk('ls', ['-l', at(`lying-${name}`, 'blobs/sha256')])).length).toBeGreaterThan(
      0,
    );
  });

  it('that are no JSON, or of odd shape, are read as they are and followed by nobody', async () => {
    const odd = ['not json', '[]', '{"layers":"x","config":7,"manifests":[null,{}]}', '""'].map(
      (text) => Buffer.from(text),
    );
    await publish([
      ...repositoryKeys(
        'odd-manifests',
        indexOf(odd.map((bytes, i) => tagged(describeBytes(MANIFEST, bytes), `odd-${i}`))),
      ),
      ...odd.map((bytes) => [sharedKey(sha256(bytes)), bytes] as const),
    ]);
    expect(await names('odd-manifests', 'blobs/sha256')).toEqual(
      odd.map((bytes) => hexOf(bytes)).sort(),
    );
    for (const bytes of odd) {
      const path = at('odd-manifests', blobPath('.', sha256(bytes)));
      expect(await readWhole('cat', path)).toEqual(rightReading(hexOf(bytes)));
    }
  });
});

describe('blobs', () => {
  it.for([
    { name: 'zero bytes and no other copy', stored: Buffer.alloc(0), reading: ENOENT },
    { name: 'another length', stored: seededBytes('short', 2999), reading: EIO },
    { name: 'no object at all', stored: undefined, reading: ENOENT },
    { name: 'other bytes', stored: seededBytes('others', 3000), reading: EIO },
  ])('with $name are not served, and said to be so', async ({ name, stored, reading }) => {
    const blob = blobCase(name, 3000);
    const repository = name.replaceAll(' ', '-');
    const objects = [...blob.image.blobs].filter(([digest]) => digest !== blob.digest);
    await publish([
      ...repositoryKeys(repository, indexOf([blob.image.descriptor])),
      ...objects.map(([digest, bytes]) => [sharedKey(digest), bytes] as const),
      ...(stored ? [[sharedKey(blob.digest), stored] as const] : []),
    ]);
    const path = blob.pathIn(mount.mountpoint, repository);
    expect(await runOk('stat', ['-c', '%s', path])).toBe('3000\n');
    expect(await readWhole('cat', path)).toEqual(reading);
    const copied = await skopeo(repository, name);
    expect(copied.code).toBe(1);
    expect(await logOf(blob.digest)).toMatch(/another size|referenced blob is lost|do not hash to/);
    const { unresolved } = await mount.status();
    const lost = unresolved.some(({ digest }) => digest === blob.digest);
    expect(lost).toBe(reading === ENOENT);
  });
});

it('keys that no registry writes are passed over', async () => {
  const odd = ['a\nb', 'UPPER', '-x', 'x..y', 'ümlaut', 'space d', 'n'.repeat(250), 'a:b'];
  await publish([
    ...odd.flatMap((name) => [...repositoryKeys(`odd/${name}`, indexOf([]))]),
    ...repositoryKeys('odd/right', indexOf([])),
    ['odd/right/blobs/sha256/stray', Buffer.from('x')],
    ['odd/right/blobs/stray', Buffer.from('x')],
    ['odd/right/.uploads/1', Buffer.from('x')],
    ['odd/file', Buffer.from('x')],
  ]);
  expect(await names('odd', '.')).toContain('right');
  for (const name of ['a\nb', 'UPPER', '-x', 'x..y', 'ümlaut', 'space d', 'a:b', 'file']) {
    expect((await run('stat', [at('odd', name)])).stderr, name).toContain('No such file');
  }
  expect(await names('odd/right', '.')).toEqual(['blobs', 'index.json', 'oci-layout']);
  expect(await names('odd/right', 'blobs/sha256')).toEqual([]);
});

/** Write keys, and wait until the mount takes notice. */
async function publish(keys: Iterable<readonly [string, Buffer]>): Promise<void> {
  await registry.write(keys);
  await sleep(REFRESH_MS + 20);
}

function at(repository: string, path: string): string {
  return `${mount.mountpoint}/${repository}/${path}`;
}

async function names(repository: string, path: string): Promise<string[]> {
  const listed = await runOk('ls', [at(repository, path)]);
  return listed.split('\n').filter((line) => line !== '');
}

async function skopeo(repository: string, tag: string): Promise<{ code: number }> {
  const target = `${scratch}/image`;
  await run('rm', ['-rf', target]);
  const image = `oci:${mount.mountpoint}/${repository}:${tag}`;
  return run('skopeo', ['copy', '--quiet', image, `dir:${target}`]);
}

/** The lines of the log that name this repository or digest. */
async function logOf(word: string): Promise<string> {
  const lines = (await mount.log()).split('\n');
  return lines.filter((line) => line.includes(word)).join('\n');
}

function hexOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
