import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  IX_M1,
  K,
  L,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  placeholders,
  repository,
} from '../vocabulary.js';

const ONE = { blobs: M1_ALL };
const TWO = { blobs: M2_ALL };
const complete = (name: string) => repository(name, IX_M1, ...M1_ALL);
const other = (name: string) => repository(name, [M2], ...M2_ALL);

/** Repositories with names that mean something else too, nested and clashing ones. */
export const nameRows: readonly Row[] = [
  {
    vector: '14',
    title: 'a repository called blobs',
    keys: complete('blobs'),
    expect: { repositories: { blobs: ONE } },
  },
  {
    vector: '14',
    title: 'repositories below a directory called blobs',
    keys: { ...complete('blobs/x'), ...other('blobs/x/y') },
    expect: { repositories: { 'blobs/x': ONE, 'blobs/x/y': TWO } },
  },
  {
    vector: '15',
    title: 'names that end in blobs',
    keys: { ...complete('myblobs'), ...complete('x/blobs'), ...other('x/blobs/y') },
    expect: { repositories: { myblobs: ONE, 'x/blobs': ONE, 'x/blobs/y': TWO } },
  },
  ...[
    'storage/blobs',
    'storage/blobs/sha256',
    'storage/x',
    'index.json',
    'oci-layout',
    'index.json/oci-layout/blobs',
    'docker',
    'docker/registry',
    'docker/registry/v2',
    'sha256',
    'blobs/sha256',
    'x/blobs/sha256',
    'a__b/c.d-e',
    'uploads',
    '0',
  ].map((name): Row => ({
    vector: 'G1',
    title: `a repository called ${name}`,
    keys: { ...complete(name), ...other('r') },
    expect: { repositories: { [name]: ONE, r: TWO } },
  })),
  {
    vector: '16',
    title: 'nested repositories',
    keys: { ...complete('a'), ...other('a/b'), ...complete('a/b/c/d') },
    expect: { repositories: { a: ONE, 'a/b': TWO, 'a/b/c/d': ONE } },
  },
  ...['index.json', 'oci-layout'].map((name): Row => ({
    vector: '18',
    title: `a and a/${name}`,
    store: 'memory',
    keys: { ...complete('a'), ...other(`a/${name}`), ...other(`a/${name}/b`), ...other('a/c') },
    expect: {
      repositories: { a: ONE, 'a/c': TWO },
      ls: { shadowed: [`a/${name}`, `a/${name}/b`] },
    },
  })),
  ...['blobs', 'blobs/sha256', 'blobs/b'].map((name): Row => ({
    vector: '18',
    title: `a and a/${name}`,
    keys: { ...complete('a'), ...other(`a/${name}`) },
    expect: { repositories: { a: ONE }, ls: { shadowed: [`a/${name}`] } },
  })),
  {
    vector: '18',
    title: 'a hidden repository has the content of a placeholder',
    keys: { ...layout('a', [M2]), ...placeholders('a', ...M2_ALL), ...other('a/blobs') },
    expect: { repositories: { a: TWO }, ls: { shadowed: ['a/blobs'] } },
  },
  ...(
    [
      ['blobs only', {}],
      ['oci-layout', { 'r/oci-layout': L }],
      ['index.json', { 'r/index.json': IX_M1 }],
    ] as const
  ).flatMap(([title, document]): Row[] => [
    {
      vector: '19',
      title: `${title} and nothing else in the store`,
      keys: { ...blobs('r', A), ...document },
      expect: {
        repositories: {},
        ls: { incomplete: ['r'] },
        warns: [/^(No repository was found|r of .* is no repository of a registry)/],
      },
    },
    {
      vector: '19',
      title: `${title} beside a repository with a placeholder`,
      keys: {
        ...blobs('r', A),
        ...document,
        ...repository('z/y', IX_M1, M1, K, B),
        ...placeholders('z/y', A),
      },
      expect: { repositories: { 'z/y': ONE }, ls: { incomplete: ['r'] } },
    },
  ]),
];
