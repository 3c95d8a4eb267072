import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  IX_M1,
  K,
  layout,
  M1,
  M1_ALL,
  placeholders,
  repository,
} from '../vocabulary.js';

const complete = { blobs: M1_ALL };

/** Layout (c): zero-byte placeholders, with the content somewhere else or nowhere. */
export const placeholderRows: readonly Row[] = [
  ...(
    [
      ['a', 'z'],
      ['z', 'a'],
      ['a', 'a/b'],
      ['team/a-b', 'team/a'],
    ] as const
  ).flatMap(([own, other]): Row[] => [
    {
      vector: '2',
      title: `placeholders in ${own}, content in ${other}`,
      keys: {
        ...repository(other, IX_M1, ...M1_ALL),
        ...repository(own, IX_M1, M1, K),
        ...placeholders(own, A, B),
      },
      expect: {
        repositories: { [own]: complete, [other]: complete },
        counters: { 'registry.flatList': 1 },
      },
    },
    {
      vector: '3',
      title: `manifest and config are placeholders in ${own}, content in ${other}`,
      keys: {
        ...repository(other, IX_M1, ...M1_ALL),
        ...layout(own, IX_M1),
        ...placeholders(own, ...M1_ALL),
      },
      expect: { repositories: { [own]: complete, [other]: complete } },
    },
  ]),
  {
    vector: '4',
    title: 'placeholders only',
    keys: {
      ...repository('a', IX_M1, M1, K, B),
      ...repository('b', IX_M1, M1, K, B),
      ...placeholders('a', A),
      ...placeholders('b', A),
    },
    expect: {
      repositories: {
        a: { blobs: [M1, K, B], lost: [A] },
        b: { blobs: [M1, K, B], lost: [A] },
      },
      ls: { lost: [[A, 'a', 'b']] },
      counters: { 'blobs.unresolved': 2 },
    },
  },
  {
    vector: '4',
    title: 'a blob without any object, beside one that only a placeholder is left of',
    keys: { ...repository('a', IX_M1, M1, K), ...placeholders('a', A) },
    expect: {
      repositories: { a: { blobs: [M1, K], lost: [A, B] } },
      ls: { lost: [[A, 'a']] },
      counters: { 'blobs.unresolved': 2 },
    },
  },
  {
    vector: '19',
    title: 'content in directories that are no repositories serves placeholders',
    keys: {
      ...layout('q', IX_M1),
      ...placeholders('q', ...M1_ALL),
      ...blobs('only-blobs', M1),
      ...blobs('no-index', K),
      'no-index/oci-layout': Buffer.from('{"imageLayoutVersion":"1.0.0"}'),
      ...blobs('no-oci-layout/x', A, B),
      'no-oci-layout/x/index.json': IX_M1,
    },
    expect: {
      repositories: { q: complete },
      ls: { incomplete: ['no-index', 'no-oci-layout/x', 'only-blobs'] },
    },
  },
  {
    vector: '30',
    title: 'a manifest of which only a placeholder is stored',
    keys: { ...repository('r', IX_M1, K, A, B), ...placeholders('r', M1) },
    expect: {
      repositories: { r: { blobs: [], lost: [M1] } },
      ls: { lost: [[M1, 'r']] },
    },
  },
  {
    vector: '30',
    title: 'its content comes to another repository later',
    keys: { ...repository('r', IX_M1, K, A, B), ...placeholders('r', M1) },
    options: { refresh: '50ms' },
    expect: {
      repositories: { r: { blobs: [], lost: [M1] } },
      ls: { lost: [[M1, 'r']] },
    },
    then: [
      {
        title: 'absent',
        run: (scene) => scene.check({ repositories: { r: { blobs: [], lost: [M1] } } }),
      },
      {
        title: 'resolved',
        run: async (scene) => {
          await scene.put(repository('q', IX_M1, ...M1_ALL));
          await scene.eventually({
            repositories: { q: complete, r: complete },
          });
        },
      },
    ],
  },
];
