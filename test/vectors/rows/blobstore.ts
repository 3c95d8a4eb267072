import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  C,
  IX_M1,
  indexJson,
  K,
  type Keys,
  L,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  placeholders,
  repository,
  tagged,
} from '../vocabulary.js';

const ONE = Buffer.from('1');
const MIGRATED: Keys = { _global_blobstore_migrated: ONE };
const RESTORED: Keys = { _restore_complete: ONE };
/** `_blobstore` is a layout of its own, with an empty index. */
const STORE: Keys = layout('_blobstore', indexJson());

const both = { r: { blobs: M1_ALL }, s: { blobs: M1_ALL } };
const bothLayouts: Keys = { ...layout('r', IX_M1), ...layout('s', IX_M1) };
const hidden = ['_blobstore', '_global_blobstore_migrated'];

/** A later push: its manifest stays in the repository, its layers do not. */
const LATER = [tagged(M1, 'v1'), tagged(M2, 'v2')];

/** Layout (b): `_blobstore`, after and in the middle of migrations there and back. */
export const blobstoreRows: readonly Row[] = [
  {
    vector: '42',
    title: 'migrated',
    keys: { ...STORE, ...MIGRATED, ...layout('r', IX_M1), ...blobs('_blobstore', ...M1_ALL, C) },
    expect: { repositories: { r: { blobs: M1_ALL } }, hidden },
  },
  {
    vector: '43',
    title: 'a push after the migration',
    keys: {
      ...STORE,
      ...MIGRATED,
      ...repository('r', LATER, M2),
      ...blobs('_blobstore', ...M1_ALL, ...M2_ALL.slice(1)),
    },
    expect: { repositories: { r: { blobs: [...M1_ALL, ...M2_ALL] } }, hidden },
  },
  {
    vector: '45 (1)',
    title: '_blobstore partly filled, repositories untouched',
    keys: {
      ...STORE,
      ...repository('r', IX_M1, ...M1_ALL),
      ...repository('s', IX_M1),
      ...placeholders('s', ...M1_ALL),
      ...blobs('_blobstore', M1, A),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45 (1)',
    title: 'the same, content only in the repository that sorts last',
    keys: {
      ...STORE,
      ...repository('s', IX_M1, ...M1_ALL),
      ...repository('r', IX_M1),
      ...placeholders('r', ...M1_ALL),
      ...blobs('_blobstore', K),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45 (2)',
    title: 'some objects gone, some content, some placeholders',
    keys: {
      ...STORE,
      ...repository('r', IX_M1, K, B),
      ...layout('s', IX_M1),
      ...placeholders('s', K, A, B),
      ...blobs('_blobstore', M1, A),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45 (3)',
    title: 'a digest without content was promoted empty',
    keys: {
      ...STORE,
      ...bothLayouts,
      ...placeholders('r', A),
      ...placeholders('s', A),
      ...blobs('_blobstore', M1, K, B),
      ...placeholders('_blobstore', A),
    },
    expect: {
      repositories: {
        r: { blobs: [M1, K, B], lost: [A] },
        s: { blobs: [M1, K, B], lost: [A] },
      },
      ls: { lost: [[A, '_blobstore', 'r', 's']] },
      hidden,
    },
  },
  {
    vector: '45 (3)',
    title: 'promoted empty, while a directory that zot does not list has the content',
    keys: {
      ...STORE,
      ...bothLayouts,
      ...repository('x/blobs', [M2], ...M2_ALL, A),
      ...blobs('_blobstore', M1, K),
      ...placeholders('_blobstore', A, B),
    },
    expect: { repositories: { ...both, 'x/blobs': { blobs: M2_ALL } }, hidden },
  },
  {
    vector: '45 (4)',
    title: 'everything moved, no marker',
    keys: { ...STORE, ...bothLayouts, ...blobs('_blobstore', ...M1_ALL) },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45 (5)',
    title: 'marker, and manifests of later pushes in the repositories',
    keys: {
      ...STORE,
      ...MIGRATED,
      ...repository('r', LATER, M2),
      ...repository('s', LATER, M1, M2),
      ...blobs('_blobstore', M1, K, A, B, ...M2_ALL.slice(1)),
    },
    expect: {
      repositories: {
        r: { blobs: [...M1_ALL, ...M2_ALL] },
        s: { blobs: [...M1_ALL, ...M2_ALL] },
      },
      hidden,
    },
  },
  {
    vector: '45 (6)',
    title: 'what the first two generations left',
    keys: {
      ...STORE,
      '_blobstore/.migrated': ONE,
      ...repository('r', IX_M1, ...M1_ALL),
      ...layout('s', IX_M1),
      ...placeholders('s', ...M1_ALL),
      ...blobs('_blobstore', ...M1_ALL),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45 (7)',
    title: 'restored half-way',
    keys: {
      ...STORE,
      ...MIGRATED,
      ...repository('r', IX_M1, ...M1_ALL),
      ...repository('s', IX_M1, K),
      ...blobs('_blobstore', M1, A, B),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45 (8)',
    title: 'both markers',
    keys: {
      ...STORE,
      ...MIGRATED,
      ...RESTORED,
      ...repository('r', IX_M1, M1, K),
      ...layout('s', IX_M1),
      ...placeholders('s', B),
      ...blobs('_blobstore', ...M1_ALL),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '46',
    title: 'restored: per repository again',
    keys: {
      ...STORE,
      ...RESTORED,
      ...repository('r', IX_M1, ...M1_ALL),
      ...repository('s', IX_M1, ...M1_ALL),
    },
    expect: {
      repositories: both,
      counters: { 'blobs.fromShared': 0, 'blobs.fromOther': 0 },
      hidden,
    },
  },
  {
    vector: '46',
    title: '_restore_complete is wrong: placeholders are left',
    keys: {
      ...RESTORED,
      '_blobstore/oci-layout': L,
      ...repository('r', IX_M1, ...M1_ALL),
      ...layout('s', IX_M1),
      ...placeholders('s', ...M1_ALL),
    },
    expect: { repositories: both, hidden },
  },
  {
    vector: '45',
    title: 'every place at once: _blobstore, storage, repositories, placeholders in all of them',
    keys: {
      ...STORE,
      ...layout('r', IX_M1),
      ...layout('s', IX_M1),
      ...placeholders('r', ...M1_ALL),
      ...placeholders('_blobstore', ...M1_ALL),
      ...placeholders('storage', M1, K, A),
      ...blobs('storage', B),
      ...blobs('s', K),
      ...blobs('t/u', M1),
      ...blobs('v', A),
    },
    expect: {
      repositories: both,
      ls: { incomplete: ['t/u', 'v'] },
      hidden,
    },
  },
];
