import { expect, it } from 'vitest';
import { BucketBuilder, sha256 } from '../../../test/migrate/support/bucket-builder.js';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { takeSurvey } from '../survey/take-survey.js';
import { BlobPlaces } from './blob-places.js';
import { findMigrationSigns } from './migration-signs.js';

const digest = sha256('bytes');

it.each<[string, RegExp[], (bucket: BucketBuilder) => void]>([
  ['blobs per repository', [], (b) => (b.blob('a', 'bytes'), b.placeholder('b', digest))],
  [
    'a true marker of a restore',
    [],
    (b) => (b.blob('a', 'bytes'), (b.objects['_restore_complete'] = '1')),
  ],
  [
    'a restore that is still going on',
    [],
    (b) => (b.placeholder('b', digest), (b.objects['_restore_complete'] = '0')),
  ],
  [
    'a false marker of a restore',
    [/_restore_complete says that no placeholders are left, and there is 1\./],
    (b) => (b.placeholder('b', digest), (b.objects['_restore_complete'] = '1')),
  ],
  [
    'a blob store without a marker',
    [/marker _global_blobstore_migrated is absent/],
    (b) => b.blob('_blobstore', 'bytes'),
  ],
  [
    'a finished migration with later manifests',
    [],
    (b) => (
      b.blob('_blobstore', 'bytes'),
      b.blob('a', 'manifest'),
      (b.objects['_global_blobstore_migrated'] = '1')
    ),
  ],
  [
    'a migration that passed over repositories',
    [/2 placeholders are left in repositories/],
    (b) => (
      b.blob('_blobstore', 'bytes'),
      b.placeholder('x/blobs', digest),
      b.placeholder('blobs', digest),
      (b.objects['_blobstore/.migrated'] = '')
    ),
  ],
  [
    'a blob store with empty blobs',
    [/1 blob in _blobstore\/blobs has no bytes/],
    (b) => b.placeholder('_blobstore', digest),
  ],
  [
    'both markers',
    [/contradict each other/],
    (b) => (
      (b.objects['_restore_complete'] = '1'),
      (b.objects['_global_blobstore_migrated'] = '1')
    ),
  ],
  [
    'shared blobs beside those of repositories',
    [/in storage\/blobs and in 1 repository too/],
    (b) => (b.blob('storage', 'bytes'), b.blob('a', 'other')),
  ],
  [
    'a run of layoutfs that was cut off',
    [/migration 20261124T000000Z-a of layoutfs is not finished/],
    (b) => (b.objects['_layoutfs/20261124T000000Z-a/begin.json'] = '{}'),
  ],
  [
    'a run of layoutfs that came to its end',
    [],
    (b) => (
      (b.objects['_layoutfs/20261124T000000Z-a/begin.json'] = '{}'),
      (b.objects['_layoutfs/20261124T000000Z-a/end.json'] = '{}')
    ),
  ],
  [
    'a repository called storage',
    [],
    (b) => (b.blob('storage', 'bytes'), b.repository('storage', {}), b.blob('a', 'other')),
  ],
])('%s', async (_, expected, place) => {
  const bucket = new BucketBuilder();
  place(bucket);
  const survey = await takeSurvey({ store: new MemoryStore(bucket.objects), root: '' });
  const signs = await findMigrationSigns(survey, new BlobPlaces(survey, 'zot'));
  expect(signs.map(({ message }) => message)).toEqual(
    expected.map((message) => expect.stringMatching(message) as string),
  );
});
