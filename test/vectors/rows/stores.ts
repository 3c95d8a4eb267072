import { expect } from 'vitest';
import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  indexJson,
  IX_M1,
  K,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  placeholders,
  repository,
  under,
} from '../vocabulary.js';

const ONE = { blobs: M1_ALL };
const TWO = { blobs: M2_ALL };
const R = repository('r', IX_M1, ...M1_ALL);
const S = repository('s', [M2], ...M2_ALL);

/** A zot configuration with a local store for `/a` beside the default one. */
const zotConfig = (directory: string) =>
  JSON.stringify({
    distSpecVersion: '1.1.1',
    storage: {
      rootDirectory: `${directory}/main`,
      subPaths: { '/a': { rootDirectory: `${directory}/other` } },
    },
  });
const keyOf = (path: string) =>
  (path.startsWith('a/') && path.split('/').length > 2 && !/^a\/(index|oci)/.test(path)
    ? 'other/'
    : 'main/') + path;

const SESSION = 'application/x-docker-upload-session';

/** Where the root of a registry is, registries of several stores, and what stores cannot do. */
export const storeRows: readonly Row[] = [
  {
    vector: '40',
    title: 'the prefix is doubled',
    prefix: 'zot',
    root: 'zot/zot/',
    keys: under('zot/zot/', { ...R, ...S }),
    expect: { repositories: { r: ONE, s: TWO } },
  },
  {
    vector: '40',
    title: 'the prefix is doubled and was not named',
    root: 'zot/zot/',
    keys: under('zot/zot/', { ...R, ...S }),
    expect: { repositories: { r: ONE, s: TWO } },
  },
  {
    vector: '40',
    title: 'the doubled prefix is named',
    options: { root: 'zot/zot' },
    root: 'zot/zot/',
    keys: { ...under('zot/zot/', { ...R, ...S }), ...under('zot/other/', R) },
    expect: { repositories: { r: ONE, s: TWO } },
  },
  {
    vector: '40',
    title: 'a doubled prefix of two components',
    prefix: 'a/b',
    root: 'a/b/a/b/',
    keys: under('a/b/a/b/', { ...R, ...blobs('_blobstore', A) }),
    expect: { repositories: { r: ONE } },
  },
  {
    vector: '40',
    title: 'a stray that is no layout',
    prefix: 'zot',
    root: 'zot/zot/',
    keys: { ...under('zot/zot/', R), 'zot/other/x': A.bytes },
    expect: { repositories: { r: ONE }, warns: [/what else lies below zot is not shown: other\//] },
  },
  {
    vector: '40',
    title: 'a stray that is a layout',
    prefix: 'zot',
    keys: { ...under('zot/zot/', R), ...under('zot/', S) },
    expect: { refused: /--root zot\/zot or --root zot/ },
  },
  {
    vector: '40',
    title: 'a stray that is a layout, the prefix not named',
    keys: { ...under('zot/zot/', R), ...under('zot/', S) },
    expect: { refused: /--root zot\/zot or --root zot/ },
  },
  {
    vector: '40',
    title: 'a repository called as the prefix',
    prefix: 'zot',
    root: 'zot/',
    keys: under('zot/', { ...repository('zot', IX_M1, ...M1_ALL), ...S }),
    expect: { repositories: { zot: ONE, s: TWO } },
  },
  {
    vector: '40',
    title: 'the doubled prefix of a migrated registry',
    prefix: 'zot',
    root: 'zot/zot/',
    keys: under('zot/zot/', { ...layout('r', IX_M1), ...blobs('storage', ...M1_ALL) }),
    expect: { repositories: { r: ONE }, hidden: ['storage'] },
  },
  {
    vector: '41',
    title: 'sub-paths: three stores’ repositories in one tree',
    zotConfig,
    keyOf,
    keys: {
      ...under('main/', { ...R, ...repository('a', [M2], ...M2_ALL) }),
      ...under('other/', repository('a/x', IX_M1, ...M1_ALL)),
    },
    expect: { repositories: { r: ONE, a: TWO, 'a/x': ONE } },
  },
  {
    vector: '41',
    title: 'a placeholder is never resolved from another store',
    zotConfig,
    keyOf,
    keys: {
      ...under('main/', { ...R, ...repository('a', IX_M1, ...M1_ALL) }),
      ...under('other/', { ...repository('a/x', IX_M1, M1, K), ...placeholders('a/x', A, B) }),
      ...under('other/', { ...repository('a/y', IX_M1, M1, K, B), ...placeholders('a/y', A) }),
    },
    expect: {
      repositories: {
        r: ONE,
        a: ONE,
        'a/x': { blobs: [M1, K, B], lost: [A] },
        'a/y': { blobs: [M1, K, B], lost: [A] },
      },
      ls: { lost: [[A, 'a/x', 'a/y']] },
    },
  },
  {
    vector: '41',
    title: 'what lies where the registry never looks is not shown',
    zotConfig,
    keyOf,
    keys: {
      ...under('main/', { ...R, ...repository('a/hidden', IX_M1, ...M1_ALL) }),
      ...under('other/', { ...repository('a/x', [M2], ...M2_ALL), ...repository('b', [M2]) }),
    },
    expect: { repositories: { r: ONE, 'a/x': TWO }, hidden: ['a/hidden', 'b'] },
  },
  {
    vector: '60',
    title: 'an upload session under a blob’s key, and one among the uploads',
    keys: { ...R, ...S, 'r/.uploads/u': A.bytes },
    faults: (store) => {
      store.describe = (info) =>
        info.key === `r/blobs/${A.path}` || info.key.includes('.uploads')
          ? { ...info, contentType: SESSION }
          : info;
    },
    expect: {
      repositories: { r: { blobs: [M1, K, B], lost: [A] }, s: TWO },
      hidden: ['r/.uploads'],
    },
  },
  {
    vector: '60',
    title: 'an upload session under a blob’s key, the content elsewhere',
    keys: { ...R, ...blobs('storage', A) },
    faults: (store) => {
      store.describe = (info) =>
        info.key === `r/blobs/${A.path}`
          ? { ...info, contentType: `${SESSION}; charset=utf-8` }
          : info;
    },
    expect: { repositories: { r: ONE } },
  },
  {
    vector: '61',
    title: 'a store that knows neither ETags nor conditions',
    keys: { ...R, ...repository('s', IX_M1, M1, K, A), ...placeholders('s', B) },
    capabilities: { conditionalGet: false },
    faults: (store) => (store.describe = ({ key, size }) => ({ key, size })),
    options: { refresh: '20ms' },
    expect: { repositories: { r: ONE, s: ONE } },
    then: [
      {
        title: 'sees a new index of the same length',
        run: async (scene) => {
          expect(await scene.view.read('r/index.json')).toEqual(Buffer.from(IX_M1));
          const other = indexJson(M1);
          const padded = Buffer.concat([other, Buffer.alloc(IX_M1.length - other.length, ' ')]);
          await scene.change('r/index.json', padded);
          await scene.eventually({ files: { 'r/index.json': padded } });
        },
      },
    ],
  },
  {
    vector: '61',
    title: 'a store that ignores conditions but names ETags',
    keys: { ...R, ...S },
    capabilities: { conditionalGet: false },
    options: { refresh: '20ms' },
    expect: { repositories: { r: ONE, s: TWO } },
    then: [
      {
        title: 'sees a new index',
        run: async (scene) => {
          await scene.view.read('r/index.json');
          await scene.change('r/index.json', indexJson());
          await scene.eventually({ files: { 'r/index.json': indexJson() } });
          expect(await scene.view.list('r/blobs/sha256')).toEqual([]);
        },
      },
    ],
  },
];
