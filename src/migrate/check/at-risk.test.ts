import { expect, it } from 'vitest';
import { BucketBuilder, sha256 } from '../../../test/migrate/support/bucket-builder.js';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { takeSurvey } from '../survey/take-survey.js';
import { findAtRisk } from './at-risk.js';
import { BlobPlaces } from './blob-places.js';

const digest = sha256('bytes');

async function atRisk(place: (bucket: BucketBuilder) => void) {
  const bucket = new BucketBuilder();
  place(bucket);
  const survey = await takeSurvey({ store: new MemoryStore(bucket.objects), root: '' });
  return findAtRisk(survey, new BlobPlaces(survey, 'zot'), () => true);
}

it.each<[string, boolean, (bucket: BucketBuilder) => void]>([
  [
    'a placeholder before the bytes',
    true,
    (b) => (b.placeholder('a', digest), b.blob('b', 'bytes')),
  ],
  [
    'a placeholder after the bytes',
    false,
    (b) => (b.blob('a', 'bytes'), b.placeholder('b', digest)),
  ],
  // "-" and "." sort before "/".
  [
    'a placeholder in a-b, bytes in a',
    true,
    (b) => (b.blob('a', 'bytes'), b.placeholder('a-b', digest)),
  ],
  [
    'a placeholder in a.b, bytes in a',
    true,
    (b) => (b.blob('a', 'bytes'), b.placeholder('a.b', digest)),
  ],
  [
    'a placeholder in a/b, bytes in a',
    true,
    (b) => (b.blob('a/c', 'bytes'), b.placeholder('a/b', digest)),
  ],
  ['no bytes at all', false, (b) => (b.placeholder('a', digest), b.placeholder('b', digest))],
  ['bytes alone', false, (b) => b.blob('b', 'bytes')],
  [
    'bytes for all repositories',
    false,
    (b) => (b.placeholder('a', digest), b.blob('b', 'bytes'), b.blob('_blobstore', 'bytes')),
  ],
  [
    'bytes in a repository called storage',
    true,
    (b) => (b.placeholder('a', digest), b.blob('storage', 'bytes'), b.repository('storage', {})),
  ],
])('%s: %s', async (_, expected, place) => {
  expect((await atRisk(place)).map((risk) => risk.digest)).toEqual(expected ? [digest] : []);
});
