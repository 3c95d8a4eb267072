import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../test/support/memory-store.js';
import { emptyLayout } from '../../../test/support/registries.js';
import { plainRules } from '../../registry/plain/plain-registry.js';
import { takeSurvey } from './take-survey.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

const REGISTRY = {
  ...emptyLayout('zot/team/app'),
  ...emptyLayout('zot/_blobstore'),
  [`zot/team/app/blobs/sha256/${A}`]: '',
  [`zot/team/app/blobs/sha256/${B}`]: 'bb',
  [`zot/storage/blobs/sha256/${A}`]: 'aaa',
  [`zot/_blobstore/blobs/sha256/${A}`]: 'aaa',
  [`zot/left/blobs/sha256/${A}`]: 'aaa',
  'zot/half/index.json': '{}',
  'zot/team/app/.uploads/8a6e': 'data',
  [`zot/team/app/.sync/8a6e/team/app/blobs/sha256/${A}`]: 'aaa',
  'zot/_restore_complete': '1',
  'zot/_blobstore/.migrated': '1',
  'zot/_layoutfs/20260101T000000Z-1/run.json': '{}',
  'zot/team/app/blobs/sha256/short': 'x',
  'zot/team/app/blobs/': '',
  'zot/meta.db': 'x',
  'zot/_trivy/db': 'x',
  'zot/readme.txt': 'x',
  'other/readme.txt': 'x',
};

describe('a survey', () => {
  test('sorts every key below the root, and no other', async () => {
    const store = new MemoryStore(REGISTRY);
    const survey = await takeSurvey({ store, root: 'zot/' });
    expect(survey.keys).toBe(Object.keys(REGISTRY).length - 1);
    expect(survey.repositories).toEqual(['team/app']);
    expect(survey.incomplete).toEqual(['left']);
    expect(survey.directories.get('team/app')).toMatchObject({
      index: { key: 'team/app/index.json' },
      layout: { key: 'team/app/oci-layout' },
      copies: 1,
      placeholders: 1,
    });
    expect(survey.directories.get('half')).toMatchObject({ copies: 0, placeholders: 0 });
    const copies = survey.blobs.copies(0).map(({ directory, size }) => [directory, size]);
    expect(copies).toEqual([
      ['_blobstore', 3],
      ['left', 3],
      ['storage', 3],
      ['team/app', 0],
    ]);
    const keys = (objects: readonly { key: string }[]) => objects.map(({ key }) => key);
    expect(keys(survey.uploads)).toEqual([
      `team/app/.sync/8a6e/team/app/blobs/sha256/${A}`,
      'team/app/.uploads/8a6e',
    ]);
    expect(keys(survey.markers)).toEqual(['_blobstore/.migrated', '_restore_complete']);
    expect(keys(survey.journal)).toEqual(['_layoutfs/20260101T000000Z-1/run.json']);
    expect(survey.malformed).toEqual({ count: 1, examples: ['team/app/blobs/sha256/short'] });
    expect(survey.internal.examples).toEqual([
      '_blobstore/index.json',
      '_blobstore/oci-layout',
      '_trivy/db',
      'meta.db',
      'team/app/blobs/',
    ]);
    expect(survey.unknown).toEqual({ count: 1, examples: ['readme.txt'] });
  });

  test('costs one LIST for each page, and nothing else', async () => {
    const store = new MemoryStore(REGISTRY);
    store.pageSize = 4;
    const seen: number[] = [];
    const survey = await takeSurvey({ store, root: 'zot/', onProgress: (keys) => seen.push(keys) });
    expect(store.requests.every(({ verb }) => verb === 'LIST')).toBe(true);
    expect(survey.lists).toBe(Math.ceil(survey.keys / 4));
    expect(store.requests).toHaveLength(survey.lists);
    expect(seen.at(-1)).toBe(survey.keys);
  });

  test('finds the blobs of a shared directory of plain layouts', async () => {
    const store = new MemoryStore({
      'x/index.json': '{"schemaVersion":2,"manifests":[]}',
      [`pool/sha256/${A}`]: 'aaa',
      'pool/sha256/short': 'x',
    });
    const survey = await takeSurvey({ store, root: '', rules: plainRules('', 'pool/') });
    expect(survey.repositories).toEqual(['x']);
    expect(survey.incomplete).toEqual([]);
    expect(survey.blobs.copies(0)).toMatchObject([
      { directory: 'pool/', key: `pool/sha256/${A}`, size: 3 },
    ]);
    expect(survey.malformed.count).toBe(1);
  });

  test('ends when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(takeSurvey({ store: new MemoryStore(), root: '', signal })).rejects.toThrow();
  });
});
