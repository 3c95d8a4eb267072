import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../test/support/memory-store.js';
import { emptyLayout, openForTest, walkRepositories } from '../../test/support/registries.js';
import { StoreError } from '../store/errors.js';
import { detect } from './detect.js';
import {
  AmbiguousRootError,
  NotARegistryError,
  RootNotFoundError,
  SourceRefusedError,
} from './errors.js';

const HEX = 'a'.repeat(64);
const BLOB = { [`storage/blobs/sha256/${HEX}`]: 'bytes' };
/** `objects` below `prefix`. */
const below = (prefix: string, objects: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(objects).map(([key, body]) => [`${prefix}/${key}`, body]));

async function rootOf(objects: Record<string, string>, prefix = '', root?: string) {
  const store = new MemoryStore(objects);
  const detection = await detect({ store, prefix, ...(root !== undefined && { root }) });
  return { ...detection, lists: store.count('LIST'), store };
}

describe('the root', () => {
  test.each<[string, Record<string, string>, string, string]>([
    ['the whole bucket', emptyLayout('r'), '', ''],
    ['the prefix, with one slash or more at its end', emptyLayout('zot/r'), 'zot//', 'zot/'],
    ['the doubled prefix of zot on S3', emptyLayout('zot/zot/r'), 'zot', 'zot/zot/'],
    ['the doubled prefix, given whole', emptyLayout('zot/zot/r'), 'zot/zot', 'zot/zot/'],
    ['a doubled prefix of two components', emptyLayout('a/b/a/b/r'), 'a/b', 'a/b/a/b/'],
    ['a doubled prefix below an empty one', emptyLayout('zot/zot/r'), '', 'zot/zot/'],
    ['a longer doubled prefix below an empty one', emptyLayout('a/b/a/b/r'), '', 'a/b/a/b/'],
    ['not the repository of the same name', emptyLayout('zot/zot'), 'zot', 'zot/'],
    ['not the repository of the same name, below an empty prefix', emptyLayout('zot/zot'), '', ''],
    [
      'not that repository, though others lie below it',
      { ...emptyLayout('zot/zot'), ...emptyLayout('zot/zot/r') },
      'zot',
      'zot/',
    ],
    ['the bucket, where one name lies below another', emptyLayout('team/app'), '', ''],
    [
      'a directory with zot traces below an empty prefix',
      below('zot', {
        ...emptyLayout('r'),
        _restore_complete: '1',
      }),
      '',
      'zot/',
    ],
    [
      'the blob store of an empty registry',
      { 'zot/zot/_blobstore/index.json': '{}' },
      'zot',
      'zot/zot/',
    ],
    ['the given prefix where nothing is', {}, 'zot', 'zot/'],
    ['a prefix that begins with a slash', emptyLayout('/zot/r'), '/zot', '/zot/'],
    ['itself a repository', emptyLayout(''), '', ''],
    ['itself a repository below a prefix', emptyLayout('zot'), 'zot', 'zot/'],
  ])('is %s', async (_, objects, prefix, expected) => {
    const { root, listable, lists } = await rootOf(objects, prefix);
    expect(root).toBe(expected);
    expect(listable).toBe(true);
    expect(lists).toBeLessThanOrEqual(10);
  });

  test('leaves out strays, and says which', async () => {
    const objects = { ...emptyLayout('zot/zot/r'), 'zot/other/file': 'x', 'zot/note': 'y' };
    for (const prefix of ['zot', '']) {
      const { root, warnings } = await rootOf(objects, prefix);
      expect(root).toBe('zot/zot/');
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/zot\/zot.*note, other\/.*--root/);
    }
  });

  test.each(['zot', ''])(
    'is asked for where layouts lie at both levels (prefix %j)',
    async (prefix) => {
      const objects = { ...emptyLayout('zot/zot/r'), ...emptyLayout('zot/other') };
      const failure = rootOf(objects, prefix);
      await expect(failure).rejects.toThrow(AmbiguousRootError);
      await expect(failure).rejects.toThrow(SourceRefusedError);
      await expect(failure).rejects.toThrow('--root zot/zot or --root zot');
    },
  );

  test.each([
    ['zot', ['other', 'zot/r']],
    ['zot/zot', ['r']],
    ['/', ['zot/other', 'zot/zot/r']],
    ['zot/', ['other', 'zot/r']],
  ])('may be chosen: %s', async (root, repositories) => {
    const objects = { ...emptyLayout('zot/zot/r'), ...emptyLayout('zot/other') };
    const registry = await openForTest(new MemoryStore(objects), { prefix: 'zot', root });
    expect(await walkRepositories(registry)).toEqual(repositories);
  });

  test('that was chosen must hold something', async () => {
    await expect(rootOf(emptyLayout('zot/r'), '', 'zto')).rejects.toThrow(RootNotFoundError);
    await expect(rootOf(emptyLayout('zot/r'), '', '/zot')).rejects.toThrow('try --root zot');
    const { root, warnings } = await detect({
      store: new MemoryStore(),
      prefix: '',
      root: 'zot/zot',
      mayBeEmpty: true,
    });
    expect(root).toBe('zot/zot/');
    expect(warnings[0]).toContain('Nothing is stored below zot/zot');
  });

  test('costs no more requests with 10,000 repositories than the budget, one page each', async () => {
    const objects = Object.assign(
      {},
      ...Array.from({ length: 10_000 }, (_, number) => emptyLayout(`zot/zot/r${number}`)),
    ) as Record<string, string>;
    const many = await rootOf({ ...objects, ...below('zot/zot', BLOB) }, 'zot');
    expect(many.root).toBe('zot/zot/');
    expect(many.lists).toBeLessThanOrEqual(10);
    expect(many.facts.seen.storage).toBe(true);
    expect(many.facts.hidden).toEqual(new Set(['storage']));
    expect(many.store.count('GET') + many.store.count('HEAD')).toBe(0);
  });

  test('is found within the budget whatever lies around it', async () => {
    const clutter = Object.fromEntries(
      Array.from({ length: 300 }, (_, number) => [`zot/d${number}/x/y/z/file`, 'x']),
    );
    const { root, lists } = await rootOf({ ...clutter, ...emptyLayout('zot/zot/r') }, 'zot');
    expect(root).toBe('zot/zot/');
    expect(lists).toBeLessThanOrEqual(10);
  });
});

describe('a bucket that was copied below a prefix', () => {
  const copied = { ...emptyLayout('prod/eu/zot/zot/r'), ...emptyLayout('prod/eu/zot/zot/s/t') };

  test.each(['', 'prod', 'prod/eu'])('is mounted as named, with a hint (%j)', async (prefix) => {
    const { root, warnings, lists } = await rootOf(copied, prefix);
    expect(root).toBe(prefix === '' ? '' : `${prefix}/`);
    expect(warnings).toEqual([
      'All repositories lie below prod/eu/zot/zot: name it in the source ' +
        "(memory://memory/prod/eu/zot/zot) or use --root prod/eu/zot/zot if that is your registry's root.",
    ]);
    expect(lists).toBeLessThanOrEqual(10);
  });

  test.each<[string, Record<string, string>, string, string | undefined]>([
    ['when that is its root', copied, 'prod/eu/zot/zot', undefined],
    ['when a root is given', copied, '', '/'],
    ['beside other repositories', { ...copied, ...emptyLayout('prod/r') }, 'prod', undefined],
    ['when a repository has such a name', emptyLayout('prod/zot/zot'), 'prod', undefined],
    ['below a doubled root', emptyLayout('zot/zot/a/a/r'), 'zot', undefined],
    ['when nothing is doubled', emptyLayout('prod/eu/zot/r'), '', undefined],
  ])('is not suspected %s', async (_, objects, prefix, root) => {
    expect((await rootOf(objects, prefix, root)).warnings).toEqual([]);
  });

  test('costs no request more than without the hint', async () => {
    const { lists } = await rootOf(copied, 'prod/eu');
    const other = await rootOf(emptyLayout('prod/eu/zot/zit/r'), 'prod/eu');
    expect(lists).toBe(other.lists);
  });
});

describe('shared blobs', () => {
  test.each<[string, Record<string, string>, string[], boolean]>([
    ['hidden', { ...emptyLayout('r'), ...BLOB }, ['storage'], true],
    [
      'shown with other repositories beside them',
      { ...BLOB, ...emptyLayout('storage/app') },
      ['storage/blobs'],
      true,
    ],
    ['a repository called storage', { ...BLOB, ...emptyLayout('storage') }, [], true],
    ['a repository called storage/blobs', { ...BLOB, ...emptyLayout('storage/blobs') }, [], false],
    ['not there', emptyLayout('r'), [], false],
  ])('are %s', async (_, objects, hidden, seen) => {
    const { facts } = await rootOf(objects);
    expect([...facts.hidden]).toEqual(hidden);
    expect(facts.seen.storage).toBe(seen);
  });

  test('and markers are seen behind a full first page', async () => {
    const objects: Record<string, string> = { _global_blobstore_migrated: '1' };
    objects[`_blobstore/blobs/sha256/${HEX}`] = 'x';
    for (let number = 0; number < 1500; number += 1) {
      Object.assign(objects, emptyLayout(`${number}`));
    }
    const { facts } = await rootOf(objects);
    expect(facts.seen.blobstore).toBe(true);
    expect(facts.markers).toEqual(['_global_blobstore_migrated']);
  });

  test('of repositories are seen in the first of them', async () => {
    const own = { ...emptyLayout('r'), [`r/blobs/sha256/${HEX}`]: 'x' };
    expect((await rootOf(own)).facts.seen.repository).toBe(true);
    expect((await rootOf(emptyLayout('r'))).facts.seen.repository).toBe(false);
  });
});

describe('the description', () => {
  test.each<[string, Record<string, string>, string]>([
    ['shared blobs', { ...emptyLayout('r'), ...BLOB }, ', blobs in storage/blobs'],
    [
      'a repository called storage',
      { ...emptyLayout('storage'), ...BLOB },
      ', blobs per repository',
    ],
    ['repositories beside it', { ...emptyLayout('storage'), ...emptyLayout('a'), ...BLOB }, ''],
  ])('of %s', async (_, objects, blobs) => {
    const { description, recognised } = await openForTest(new MemoryStore(objects));
    expect(recognised).toBe(true);
    expect(description).toBe(`a zot registry at / of memory://memory${blobs}`);
  });

  test('is a guess where nothing was seen', async () => {
    for (const objects of [{}, { 'photos/1.jpg': 'x' }]) {
      for (const kind of ['zot', 'plain'] as const) {
        const registry = await openForTest(new MemoryStore(objects), { kind });
        expect(registry.recognised).toBe(kind === 'plain' && 'photos/1.jpg' in objects);
      }
    }
  });

  test('speaks of a bucket only where there is one', async () => {
    for (const kind of ['zot', 'plain'] as const) {
      const store = Object.assign(new MemoryStore(), { name: 'file:///srv' });
      const directory = await openForTest(store, { kind });
      expect(directory.warnings).toEqual([
        'Nothing is stored below / of file:///srv: check the directory.',
      ]);
    }
    const name = 's3://b?endpoint=http://h';
    const store = Object.assign(new MemoryStore(emptyLayout('p/x/x/r')), { name });
    const { warnings } = await openForTest(store, { prefix: 'p' });
    expect(warnings[0]).toContain('(s3://b/p/x/x?endpoint=http://h)');
  });
});

describe('what is no registry', () => {
  test.each<[string, Record<string, string>, string]>([
    ['at the top', { 'docker/registry/v2/repositories/a/_manifests/tags/t/current/link': 'x' }, ''],
    ['below the prefix', { 'x/docker/registry/v2/blobs/sha256/aa/x/data': 'x' }, 'x'],
    ['one directory below the top', { 'x/docker/registry/v2/blobs/sha256/aa/x/data': 'x' }, ''],
    [
      'above the prefix',
      { 'docker/registry/v2/blobs/sha256/aa/x/data': 'x' },
      'docker/registry/v2',
    ],
    ['around the prefix', { 'docker/registry/v2/blobs/sha256/aa/x/data': 'x' }, 'docker'],
  ])('is refused: storage of the distribution registry %s', async (_, objects, prefix) => {
    await expect(rootOf(objects, prefix)).rejects.toThrow(NotARegistryError);
    await expect(rootOf(objects, prefix)).rejects.toThrow('not supported yet');
  });

  test('is not a zot repository called docker', async () => {
    const { warnings } = await rootOf({
      ...emptyLayout('docker'),
      ...emptyLayout('docker/registry/v2'),
    });
    expect(warnings).toEqual([]);
  });

  test.each<[string, Record<string, string>, string | undefined]>([
    ['an empty bucket', {}, 'Nothing is stored below / of memory://memory'],
    ['a marker of a directory', { 'r/': '', '/': '' }, 'No repository was found'],
    ['other files', { 'photos/1.jpg': 'x' }, 'No repository was found'],
    ['layouts with names of no registry', emptyLayout('My Layouts'), '--registry plain'],
    ['a layout without oci-layout', { 'r/index.json': '{}' }, '--registry plain'],
    ['a repository', emptyLayout('r'), undefined],
    [
      'a doubled prefix beside something else',
      { 'logs/x': '', ...emptyLayout('zot/zot/r') },
      'use --root zot/zot',
    ],
    ['a repository of the name of its directory', emptyLayout('zot/r/r'), undefined],
  ])('is opened with a warning: %s', async (_, objects, warning) => {
    const { warnings } = await rootOf(objects);
    expect(warnings).toHaveLength(warning === undefined ? 0 : 1);
    expect(warnings[0] ?? '').toContain(warning ?? '');
  });
});

describe('a store that refuses to be listed', () => {
  const denying = (objects: Record<string, string>): MemoryStore => {
    const store = new MemoryStore(objects);
    store.before = ({ verb, key }) => {
      if (verb === 'LIST') throw new StoreError('AccessDenied', 'LIST is forbidden.');
      if (!store.objects.has(key)) throw new StoreError('AccessDenied', `${key} is forbidden.`);
    };
    return store;
  };

  test('is opened all the same, and says what is missing', async () => {
    const registry = await openForTest(denying(emptyLayout('zot/r')), { prefix: 'zot' });
    expect(registry.listable).toBe(false);
    expect(registry.description).toContain('not listable');
    expect(registry.warnings.join(' ')).toMatch(/ListBucket.*--root zot\/zot/);
    await expect(registry.list('')).rejects.toMatchObject({ code: 'AccessDenied' });
    expect(await registry.readIndex('r', { maxBytes: 1000 })).toMatchObject({ info: { size: 36 } });
    expect(await registry.readIndex('absent', { maxBytes: 1000 })).toBeUndefined();
    expect(await registry.readOciLayout('absent')).toBeUndefined();
  });

  test('shows its doubled root by the keys that zot keeps there', async () => {
    const store = denying({ ...emptyLayout('zot/zot/r'), 'zot/zot/_restore_complete': '1' });
    const { root, listable } = await detect({ store, prefix: 'zot' });
    expect({ root, listable }).toEqual({ root: 'zot/zot/', listable: false });
  });

  test.each(['NoSuchBucket', 'BadCredentials', 'Unreachable', 'Timeout'] as const)(
    'is something else than one that fails: %s',
    async (code) => {
      const store = new MemoryStore();
      store.before = () => {
        throw new StoreError(code, 'It failed.');
      };
      await expect(detect({ store, prefix: '' })).rejects.toMatchObject({ code });
    },
  );
});
