import { expect, it } from 'vitest';
import { BucketBuilder, sha256 } from '../../../test/migrate/support/bucket-builder.js';
import { localBucket } from '../../../test/support/local-bucket.js';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { link, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { keyOf } from '../../../test/migrate/support/bucket-builder.js';
import { takeSurvey } from '../survey/take-survey.js';
import { readData, type ReadObject } from './read-data.js';
import { findDuplicates } from './storage-use.js';

function manyBlobs(): BucketBuilder {
  const bucket = new BucketBuilder();
  for (let number = 0; number < 400; number += 1) bucket.blob('r', `blob ${number}`);
  return bucket;
}

const ALL = { isOfInterest: () => true, concurrency: 3 };

it('reads every object with bytes, never more at once than allowed', async () => {
  const bucket = manyBlobs();
  bucket.placeholder('a', sha256('blob 1'));
  const store = new MemoryStore(bucket.objects);
  const survey = await takeSurvey({ store, root: '' });
  let open = 0;
  let most = 0;
  store.before = async () => {
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
  };
  const read: ReadObject[] = [];
  const progress: number[][] = [];
  await readData(survey, {
    ...ALL,
    share: 1,
    onRead: (object) => read.push(object),
    onProgress: (...numbers) => progress.push(numbers),
  });
  expect(read).toHaveLength(400);
  expect(read.every(({ outcome }) => outcome.state === 'right')).toBe(true);
  expect(most).toBe(3);
  const total = Object.values(bucket.objects).reduce((sum, { length }) => sum + length, 0);
  expect(progress.at(-1)).toEqual([total, total]);
});

it('reads about the share that was asked for, another one each time', async () => {
  const survey = await takeSurvey({ store: new MemoryStore(manyBlobs().objects), root: '' });
  const sample = async () => {
    const keys: string[] = [];
    await readData(survey, { ...ALL, share: 0.25, onRead: ({ key }) => keys.push(key) });
    return keys;
  };
  const [first, second] = [await sample(), await sample()];
  // 100 are expected; less than 50 or more than 150 have a chance of one in 10^8.
  expect(first.length).toBeGreaterThan(50);
  expect(first.length).toBeLessThan(150);
  expect(new Set(first).size).toBe(first.length);
  expect(second).not.toEqual(first);
});

it('takes hard links for one file', async () => {
  const digest = sha256('bytes');
  const bucket = await localBucket({ [keyOf('a', digest)]: 'bytes' });
  const { store, directory } = bucket;
  try {
    await mkdir(join(directory, dirname(keyOf('b', digest))), { recursive: true });
    await link(join(directory, keyOf('a', digest)), join(directory, keyOf('b', digest)));
    await store.put(keyOf('c', digest), Buffer.from('bytes'));
    const survey = await takeSurvey({ store, root: '' });
    const keys: string[] = [];
    await readData(survey, { ...ALL, share: 1, onRead: ({ key }) => keys.push(key) });
    expect(keys.sort()).toEqual([keyOf('a', digest), keyOf('c', digest)]);
    expect(findDuplicates(survey, () => true)).toMatchObject({ objects: 1, wastedBytes: 5 });
  } finally {
    await bucket.remove();
  }
});
