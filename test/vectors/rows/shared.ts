import { expect } from 'vitest';
import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  C,
  IX_M1,
  K,
  K2,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  placeholders,
  repository,
} from '../vocabulary.js';

/** Layout (a): one copy of each blob in `storage/blobs`, and what is left while moving there. */
export const sharedRows: readonly Row[] = [
  {
    vector: '9',
    title: 'migrated',
    keys: { ...layout('r', IX_M1), ...blobs('storage', ...M1_ALL, C) },
    expect: { repositories: { r: { blobs: M1_ALL } }, hidden: ['storage'] },
    then: [
      {
        title: 'the shared directory is hidden before anybody has looked into it',
        run: async ({ view }) => expect(await view.list('')).toEqual(['r']),
      },
      {
        title: 'reading everything costs one GET for each object',
        run: async (scene) => {
          scene.store.forget();
          await scene.check({ repositories: { r: { blobs: M1_ALL } } });
          const documents = ['r/index.json', 'r/oci-layout'];
          const shared = Object.keys(blobs('storage', ...M1_ALL));
          expect(scene.store.gets.map(({ key }) => key).sort()).toEqual(
            [...documents, ...shared].sort(),
          );
        },
      },
    ],
  },
  {
    vector: '9',
    title: 'migrated, with an index that lacks a blob',
    keys: { ...layout('r', IX_M1), ...layout('s', [M2]), ...blobs('storage', ...M1_ALL, M2, K2) },
    expect: {
      repositories: { r: { blobs: M1_ALL }, s: { blobs: [M2, K2, B], lost: [C] } },
      hidden: ['storage'],
    },
  },
  {
    vector: '10',
    title: 'partly migrated',
    keys: {
      ...repository('r', IX_M1, A, B),
      ...repository('s', IX_M1),
      ...placeholders('s', B),
      ...blobs('storage', M1, K, A),
    },
    expect: {
      repositories: { r: { blobs: M1_ALL }, s: { blobs: M1_ALL } },
      counters: { 'blobs.fromRepository': 1, 'blobs.fromShared': 3 },
      hidden: ['storage'],
    },
  },
  {
    vector: '10',
    title: 'partly migrated, the content of a placeholder in a third repository',
    keys: {
      ...repository('r', IX_M1),
      ...placeholders('r', M1, K, A, B),
      ...blobs('storage', M1),
      ...repository('third', [M2], ...M2_ALL, K, A),
    },
    expect: {
      repositories: { r: { blobs: M1_ALL }, third: { blobs: M2_ALL } },
      counters: { 'registry.flatList': 1 },
    },
  },
  {
    vector: '10',
    title: 'a placeholder in storage, content in a repository',
    keys: {
      ...repository('r', IX_M1, A),
      ...layout('s', IX_M1),
      ...placeholders('s', A),
      ...placeholders('storage', A),
      ...blobs('storage', M1, K, B),
    },
    expect: { repositories: { r: { blobs: M1_ALL }, s: { blobs: M1_ALL } } },
  },
  {
    vector: '12',
    title: 'a repository called storage',
    keys: repository('storage', IX_M1, ...M1_ALL, C),
    expect: { repositories: { storage: { blobs: M1_ALL } } },
  },
  {
    vector: '12',
    title: 'a repository called storage, whose blobs others share',
    keys: {
      ...repository('storage', IX_M1, ...M1_ALL, ...M2_ALL),
      ...layout('r', [M2]),
      ...placeholders('r', C),
    },
    expect: { repositories: { r: { blobs: M2_ALL }, storage: { blobs: M1_ALL } } },
  },
  {
    vector: '12',
    title: 'repositories below storage, beside shared blobs',
    keys: {
      ...repository('storage/r', IX_M1, A),
      ...blobs('storage', ...M1_ALL, C),
      ...layout('storage/x/y', IX_M1),
    },
    expect: { repositories: { 'storage/r': { blobs: M1_ALL }, 'storage/x/y': { blobs: M1_ALL } } },
  },
];
