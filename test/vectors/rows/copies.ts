import { expect } from 'vitest';
import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  C,
  type Content,
  describe,
  IX_M1,
  K,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  placeholders,
  repository,
} from '../vocabulary.js';

const ONE = { blobs: M1_ALL };

/** The same name over fewer bytes. */
const short = (one: Content): Content => ({ ...one, bytes: one.bytes.subarray(1) });
/** The same name over as many other bytes. */
const wrong = (one: Content): Content => {
  const bytes = Buffer.from(one.bytes);
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  return { ...one, bytes };
};

/** Rules G3 and G4: several copies, some of them of the wrong length or with the wrong bytes. */
export const copyRows: readonly Row[] = [
  ...(['storage', '_blobstore'] as const).flatMap((shared): Row[] => [
    {
      vector: 'G4',
      title: `short in the repository, right in ${shared}`,
      keys: {
        ...repository('r', IX_M1, ...M1_ALL.map(short)),
        ...blobs(shared, ...M1_ALL),
      },
      expect: { repositories: { r: ONE } },
    },
    {
      vector: 'G4',
      title: `short in ${shared}, right in the repository`,
      keys: {
        ...repository('r', IX_M1, ...M1_ALL),
        ...blobs(shared, ...M1_ALL.map(short)),
      },
      expect: { repositories: { r: ONE } },
    },
    {
      vector: 'G4',
      title: `of other bytes in ${shared}, right in the repository`,
      keys: {
        ...repository('r', IX_M1, ...M1_ALL),
        ...blobs(shared, ...M1_ALL.map(wrong)),
      },
      expect: { repositories: { r: ONE } },
    },
  ]),
  {
    vector: 'G4',
    title: 'short everywhere',
    keys: { ...repository('r', IX_M1, M1, K, B, short(A)), ...blobs('storage', short(A)) },
    expect: { repositories: { r: { blobs: [M1, K, B], broken: [A] } } },
  },
  {
    vector: 'G4',
    title: 'of other bytes everywhere',
    keys: { ...repository('r', IX_M1, M1, K, B, wrong(A)), ...blobs('storage', wrong(A)) },
    expect: { repositories: { r: { blobs: [M1, K, B], broken: [A] } } },
  },
  {
    vector: 'G4',
    title: 'a manifest of other bytes',
    keys: repository('r', [M1, M2], wrong(M1), K, A, ...M2_ALL),
    expect: { repositories: { r: { blobs: M2_ALL, broken: [M1] } } },
  },
  {
    vector: 'G4',
    title: 'a placeholder, a short copy and then the right one',
    keys: {
      ...repository('r', IX_M1, M1, K, B),
      ...placeholders('r', A),
      ...repository('a', [M2], ...M2_ALL, short(A)),
      ...repository('z', IX_M1, ...M1_ALL),
    },
    expect: { repositories: { r: ONE, a: { blobs: M2_ALL }, z: ONE } },
  },
  {
    vector: 'G4',
    title: 'a placeholder, a copy of other bytes and then the right one',
    keys: {
      ...repository('r', IX_M1, M1, K, B),
      ...placeholders('r', A),
      ...repository('a', [M2], ...M2_ALL, wrong(A)),
      ...repository('z', IX_M1, ...M1_ALL),
    },
    expect: { repositories: { r: ONE, a: { blobs: M2_ALL }, z: ONE } },
  },
  {
    vector: 'G4',
    title: 'a placeholder and a short copy',
    keys: {
      ...repository('r', IX_M1, M1, K, B),
      ...placeholders('r', A),
      ...repository('a', [M2], ...M2_ALL, short(A)),
    },
    expect: {
      repositories: { r: { blobs: [M1, K, B], broken: [A] }, a: { blobs: M2_ALL } },
    },
  },
  {
    vector: 'G4',
    title: 'two sizes for a manifest of which the repository has a placeholder',
    keys: {
      ...layout('r', [describe(M1, { fields: { size: 7 } }), M1]),
      ...placeholders('r', ...M1_ALL),
      ...repository('z', IX_M1, ...M1_ALL),
    },
    expect: { repositories: { r: ONE, z: ONE } },
  },
  {
    vector: 'G4',
    title: 'two sizes for a manifest of which nothing is stored',
    keys: repository('r', [describe(M1, { fields: { size: 7 } }), M1, M2], ...M2_ALL),
    expect: { repositories: { r: { blobs: M2_ALL, lost: [{ ...M1, size: 7 }] } } },
  },
  {
    vector: 'G3',
    title: 'a listing asks for manifests only',
    keys: {
      ...layout('r', [M1, M2]),
      ...blobs('storage', ...M1_ALL, ...M2_ALL.filter((one) => one !== C)),
    },
    expect: { repositories: { r: { blobs: [...M1_ALL, M2, ...M2_ALL.slice(1, 2)], lost: [C] } } },
    then: [
      {
        title: 'listing with sizes',
        run: async ({ view, store }) => {
          store.forget();
          const before = await view.listSizes('r/blobs/sha256');
          expect(Object.keys(before)).toHaveLength(7);
          expect(store.gets.map(({ key }) => key).sort()).toEqual(
            ['r/index.json', `storage/blobs/${M1.path}`, `storage/blobs/${M2.path}`].sort(),
          );
          // It was listed when the source was opened, to find out what it is.
          expect(store.lists).toEqual([]);
          store.forget();
          await view.listSizes('r/blobs/sha256');
          expect([...store.gets, ...store.lists, ...store.heads]).toEqual([]);
        },
      },
      {
        title: 'opening one that is absent asks each place once, and then no more',
        run: async ({ view, store }) => {
          expect(await view.outcome(`r/blobs/${C.path}`)).toBe('ENOENT');
          expect(store.gets.length).toBeGreaterThan(0);
          expect(store.lists).toEqual([]);
          store.forget();
          expect(await view.outcome(`r/blobs/${C.path}`)).toBe('ENOENT');
          expect(store.gets).toEqual([]);
        },
      },
      {
        title: 'a blob costs one ranged GET, and none the second time',
        run: async ({ view, store }) => {
          await view.read(`r/blobs/${A.path}`);
          expect(store.gets.map(({ key, offset }) => [key, offset])).toEqual([
            [`storage/blobs/${A.path}`, 0],
          ]);
          await view.read(`r/blobs/${A.path}`);
          expect(store.gets).toHaveLength(1);
        },
      },
    ],
  },
];
