import { describe, expect, it } from 'vitest';
import {
  BucketBuilder,
  type Entry,
  keyOf,
  sha256,
} from '../../../test/migrate/support/bucket-builder.js';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { openForTest } from '../../../test/support/registries.js';
import { OCI_MANIFEST } from '../../oci/media-types.js';
import type { OpenRegistryOptions } from '../../registry/open.js';
import { StoreError } from '../../store/errors.js';
import type { CheckAreaOptions } from './check-area.js';
import { checkRegistry } from './check.js';

const OPTIONS: CheckAreaOptions = {
  accepts: () => true,
  partial: false,
  share: 0,
  concurrency: 4,
};

async function check(
  objects: Record<string, string> | MemoryStore,
  options: Partial<CheckAreaOptions> = {},
  open: Partial<OpenRegistryOptions> = {},
) {
  const store = objects instanceof MemoryStore ? objects : new MemoryStore(objects);
  const registry = await openForTest(store, { kind: 'zot', ...open });
  store.requests.length = 0;
  return { store, ...(await checkRegistry(registry.areas, { ...OPTIONS, ...options })) };
}

/** Two repositories that share one image; `b` has placeholders. */
function shared(): { bucket: BucketBuilder; image: Entry } {
  const bucket = new BucketBuilder();
  const image = bucket.image('a', 'one', 'two');
  bucket.repository('a', { v1: image });
  bucket.repository('b', { v1: image, v2: image });
  for (const key of Object.keys(bucket.objects).filter((one) => one.startsWith('a/blobs/'))) {
    bucket.objects[key.replace('a/', 'b/')] = '';
  }
  return { bucket, image };
}

const one = sha256('one');
const two = sha256('two');

describe('a check', () => {
  it('of a bucket that is whole finds nothing, by one LIST and one GET for each document', async () => {
    const { bucket } = shared();
    const { store, verdict, totals, notes } = await check(bucket.objects);
    expect(verdict).toBe('sound');
    expect(totals).toMatchObject({
      repositories: 2,
      keys: 12,
      digests: 4,
      contents: 4,
      placeholders: 4,
      referenced: 4,
      hashed: 1,
    });
    expect(notes.resolvedPlaceholders).toBe(4);
    expect(store.requests.map(({ verb, key }) => [verb, key.split('/').at(-1)])).toEqual([
      ['LIST', ''],
      ['GET', 'index.json'],
      ['GET', 'index.json'],
      ['GET', expect.stringMatching(/^[0-9a-f]{64}$/)],
    ]);
  });

  it('names what is missing with the images that need it', async () => {
    const { bucket } = shared();
    bucket.drop(keyOf('a', one));
    bucket.drop(keyOf('b', one));
    const { verdict, damage } = await check(bucket.objects);
    expect(verdict).toBe('damaged');
    expect(damage.missing).toEqual([
      {
        digest: one,
        sizes: [3],
        repositories: [
          { repository: 'a', images: ['v1'] },
          { repository: 'b', images: ['v1', 'v2'] },
        ],
        objects: [],
      },
    ]);
  });

  it('tells placeholders without bytes from those with', async () => {
    const { bucket } = shared();
    bucket.placeholder('a', one);
    const { damage, notes } = await check(bucket.objects);
    expect(damage.unresolved).toMatchObject([
      {
        digest: one,
        objects: [
          { key: keyOf('a', one), size: 0 },
          { key: keyOf('b', one), size: 0 },
        ],
      },
    ]);
    expect(notes.resolvedPlaceholders).toBe(3);
  });

  it('finds bytes that are where no reader looks', async () => {
    const { bucket } = shared();
    bucket.drop(keyOf('b', two));
    const { damage } = await check(bucket.objects);
    expect(damage).toMatchObject({
      missing: [],
      misplaced: [{ digest: two, repositories: [{ repository: 'b' }] }],
    });
  });

  it.each(['_blobstore', 'storage'])('looks into %s for every repository', async (place) => {
    const { bucket } = shared();
    bucket.drop(keyOf('b', two));
    bucket.blob(place, 'two');
    expect((await check(bucket.objects)).damage.misplaced).toEqual([]);
  });

  it('does not take the blobs of a repository called storage for shared ones', async () => {
    const { bucket, image } = shared();
    bucket.drop(keyOf('b', two));
    bucket.blob('storage', 'two');
    bucket.repository('storage', { v1: image });
    const { damage } = await check(bucket.objects);
    const lacking = damage.misplaced.find(({ digest }) => digest === two);
    expect(lacking?.repositories.map(({ repository }) => repository)).toEqual(['b']);
  });

  it('finds objects of another length', async () => {
    const { bucket } = shared();
    bucket.objects[keyOf('a', two)] = 'twotwo';
    const { damage } = await check(bucket.objects);
    expect(damage.wrongSize).toMatchObject([
      { digest: two, sizes: [3], repositories: [{ repository: 'a' }, { repository: 'b' }] },
    ]);
  });

  it('always hashes manifests, and says whether another copy is right', async () => {
    const { bucket, image } = shared();
    const text = bucket.objects[keyOf('a', image.digest)] ?? '';
    const bad = text.replace('schemaVersion', 'schemaversion');
    bucket.objects[keyOf('a', image.digest)] = bad;
    const lost = await check(bucket.objects);
    const corrupt = {
      digest: image.digest,
      key: keyOf('a', image.digest),
      size: bad.length,
      actual: sha256(bad),
      repositories: ['a', 'b'],
    };
    expect(lost.damage.corrupt).toEqual([{ ...corrupt, otherCopyIsRight: false }]);
    expect(lost.notes.unreferenced).toBeUndefined();
    bucket.objects[keyOf('b', image.digest)] = text;
    const helped = await check(bucket.objects);
    expect(helped.damage.corrupt).toEqual([{ ...corrupt, otherCopyIsRight: true }]);
  });

  it('hashes the rest when asked to, corrupt ones that nobody needs apart', async () => {
    const { bucket } = shared();
    bucket.objects[keyOf('a', two)] = 'owt';
    bucket.blob('a', 'stale', 'elats');
    const shallow = await check(bucket.objects);
    expect(shallow.verdict).toBe('sound');
    expect(shallow.totals.hashed).toBe(1);
    const deep = await check(bucket.objects, { share: 1 });
    expect(deep.verdict).toBe('damaged');
    expect(deep.totals).toMatchObject({ hashed: 5, contents: 5 });
    expect(deep.damage.corrupt).toMatchObject([{ digest: two, actual: sha256('owt') }]);
    expect(deep.warnings.corruptUnreferenced).toMatchObject([{ key: keyOf('a', sha256('stale')) }]);
  });

  it('counts what no repository refers to, and what one has left behind', async () => {
    const { bucket } = shared();
    bucket.blob('a', 'old');
    bucket.blob('gone/for/good', 'older');
    bucket.repository('c', {});
    bucket.placeholder('c', one);
    const { notes, warnings } = await check(bucket.objects);
    expect(notes).toMatchObject({
      unreferenced: { digests: 2, objects: 2, bytes: 8 },
      leftBehind: 1,
    });
    expect(notes.unreferenced?.list.map(({ key }) => key)).toEqual([
      keyOf('a', sha256('old')),
      keyOf('gone/for/good', sha256('older')),
    ]);
    expect(warnings.incomplete).toEqual(['gone/for/good']);
  });

  it('counts bytes that are stored twice', async () => {
    const { bucket } = shared();
    bucket.blob('b', 'two');
    const { notes } = await check(bucket.objects);
    expect(notes.duplicates).toEqual({
      digests: 1,
      objects: 1,
      wastedBytes: 3,
      list: [{ digest: two, size: 3, keys: [keyOf('a', two), keyOf('b', two)] }],
    });
  });

  it('excuses foreign layers, unless somebody needs them', async () => {
    const bucket = new BucketBuilder();
    const layer = { mediaType: 'x', digest: one, size: 3, urls: ['https://example.com'] };
    const manifest = (layers: object[]) =>
      bucket.document('a', OCI_MANIFEST, JSON.stringify({ layers }));
    bucket.repository('a', { foreign: manifest([layer]) });
    const excused = await check(bucket.objects);
    expect(excused).toMatchObject({ verdict: 'sound', notes: { foreign: 1 } });
    const needed = manifest([{ ...layer, urls: [] }]);
    bucket.repository('a', { foreign: manifest([layer]), own: needed });
    expect((await check(bucket.objects)).damage.missing).toMatchObject([{ digest: one }]);
  });

  it('needs no object for zero bytes', async () => {
    const bucket = new BucketBuilder();
    const image = bucket.image('a', '');
    bucket.repository('a', { v1: image });
    bucket.drop(keyOf('a', sha256('')));
    expect((await check(bucket.objects)).verdict).toBe('sound');
    bucket.placeholder('a', sha256(''));
    expect(await check(bucket.objects)).toMatchObject({ totals: { placeholders: 0 } });
  });

  it('looks at some repositories only, and then calls nothing unreferenced', async () => {
    const { bucket } = shared();
    bucket.drop(keyOf('b', two));
    const options = { accepts: (name: string) => name === 'a', partial: true };
    const { verdict, totals, notes } = await check(bucket.objects, options);
    expect(verdict).toBe('sound');
    expect(totals.repositories).toBe(1);
    expect(notes.unreferenced).toBeUndefined();
  });
});

describe('what cannot be read', () => {
  it.each([
    ['{', 'The index.json of b cannot be read: The document is not JSON.'],
    ['', 'The index.json of b cannot be read: The document is not JSON.'],
    ['{}', 'The index.json of b cannot be read: The document has no manifests array'],
  ])('an index.json of %j is named, and the others are checked', async (text, reason) => {
    const { bucket } = shared();
    bucket.objects['b/index.json'] = text;
    bucket.placeholder('a', one);
    const { verdict, damage, totals, notes } = await check(bucket.objects);
    expect(verdict).toBe('damaged');
    expect(damage.unreadable).toMatchObject([
      { repository: 'b', reason: expect.stringContaining(reason) as string },
    ]);
    expect(damage.unresolved).toMatchObject([{ digest: one }]);
    expect(totals.repositories).toBe(1);
    expect(notes.unreferenced).toBeUndefined();
  });

  it('a prefix that is denied is named, and so is every object below it', async () => {
    const { bucket, image } = shared();
    const store = new MemoryStore(bucket.objects);
    store.before = ({ verb, key }) => {
      if (verb === 'GET' && (key === 'b/index.json' || key === keyOf('a', one))) {
        throw new StoreError('AccessDenied', `The store denies ${key}.`);
      }
    };
    const { damage } = await check(store, { share: 1 });
    expect(damage.unreadable).toEqual([
      { repository: 'b', reason: 'The store denies b/index.json.' },
    ]);
    expect(damage.unread).toMatchObject([{ digest: one, reason: expect.any(String) as string }]);
    store.before = ({ verb, key }) => {
      if (verb === 'GET' && key === keyOf('a', image.digest)) {
        throw new StoreError('AccessDenied', `The store denies ${key}.`);
      }
    };
    const { damage: manifest, notes } = await check(store);
    expect(manifest.unread).toMatchObject([{ digest: image.digest }]);
    expect(notes.unreferenced).toBeUndefined();
  });

  it('a store that is down ends the check, whatever the number of repositories', async () => {
    const bucket = new BucketBuilder();
    for (let number = 0; number < 100; number += 1) bucket.repository(`r${number}`, {});
    const store = new MemoryStore(bucket.objects);
    const registry = await openForTest(store, { kind: 'zot' });
    store.before = ({ verb }) => {
      if (verb === 'GET') throw new StoreError('Unavailable', 'Slow down.');
    };
    await expect(checkRegistry(registry.areas, OPTIONS)).rejects.toThrow('Slow down.');
    expect(store.count('GET')).toBeLessThan(30);
  });

  it('documents that may refer to more leave nothing to be called unreferenced', async () => {
    const { bucket } = shared();
    const odd = bucket.document('c', OCI_MANIFEST, '{"layers":[{"digest":"md5"}]}');
    bucket.repository('c', { v1: odd });
    const { verdict, warnings, notes } = await check(bucket.objects);
    expect(verdict).toBe('warnings');
    expect(warnings.documents).toEqual([
      {
        digest: odd.digest,
        repositories: ['c'],
        reason: 'It has 1 entries that are no descriptors.',
      },
    ]);
    expect(notes.unreferenced).toBeUndefined();
  });

  it('a blob of an algorithm that cannot be computed is a warning', async () => {
    const bucket = new BucketBuilder();
    const image = bucket.image('a', 'one');
    bucket.repository('a', { v1: image });
    bucket.objects['a/blobs/md5/abc'] = 'x';
    const { warnings, damage } = await check(bucket.objects, { share: 1 });
    expect(warnings.unhashed).toMatchObject([{ digest: 'md5:abc' }]);
    expect(damage.unread).toEqual([]);
  });

  it('keys of odd names are counted and shown', async () => {
    const { bucket } = shared();
    Object.assign(bucket.objects, {
      'a/blobs/sha256/short': 'x',
      'a/blobs/sha256:x': 'x',
      'a/./b': 'x',
      'a\0/b': 'x',
      [`${'x'.repeat(300)}/index.json`]: 'x',
      'a/.uploads/u1': 'part',
      'stray.txt': 'x',
    });
    const { warnings, notes } = await check(bucket.objects);
    expect(warnings.strangeKeys.count).toBe(6);
    expect(warnings.strangeKeys.examples).toContain('a/blobs/sha256/short');
    expect(notes.unfinishedUploads).toEqual({ objects: 1, bytes: 4 });
  });
});

describe('plain layouts', () => {
  const plain = { kind: 'plain' } as const;

  it('have no placeholders: an empty blob is damage, though another layout has the bytes', async () => {
    const { bucket } = shared();
    const { verdict, damage } = await check(bucket.objects, {}, plain);
    expect(verdict).toBe('damaged');
    expect(damage.misplaced).toHaveLength(4);
    expect(damage.misplaced[0]?.repositories).toMatchObject([{ repository: 'b' }]);
  });

  it('may lack oci-layout, and lie at the root', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('', { v1: bucket.image('', 'one') });
    bucket.drop('oci-layout');
    expect(await check(bucket.objects, {}, plain)).toMatchObject({
      verdict: 'sound',
      repositories: [''],
    });
  });

  it('with a shared blob directory have their blobs there and nowhere else', async () => {
    const bucket = new BucketBuilder();
    bucket.repository('r', { v1: bucket.image('r', 'one') });
    const own = Object.entries(bucket.objects).filter(([key]) => key.startsWith('r/blobs/'));
    for (const [key, body] of own) {
      bucket.objects[key.replace('r/blobs/', 'shared/')] = body;
      bucket.drop(key);
    }
    const open = { ...plain, sharedBlobDir: 'shared' };
    expect((await check(bucket.objects, { share: 1 }, open)).verdict).toBe('sound');
    bucket.drop(`shared/${one.replace(':', '/')}`);
    bucket.blob('r', 'one');
    const { damage } = await check(bucket.objects, {}, open);
    expect(damage.misplaced).toMatchObject([{ digest: one }]);
  });

  it('are never at risk', async () => {
    const { bucket } = shared();
    bucket.blob('b', 'one');
    bucket.placeholder('a', one);
    expect((await check(bucket.objects, {}, plain)).warnings.atRisk).toEqual([]);
    expect((await check(bucket.objects)).warnings.atRisk).toMatchObject([{ digest: one }]);
  });
});
