import { digestOf } from '../../../src/oci/hash.js';
import type { Row } from '../row.js';
import {
  A,
  B,
  C,
  IX_M1,
  K,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  manifest,
  named,
  TYPES,
  placeholders,
  repository,
  under,
} from '../vocabulary.js';

const NOTHING = new Uint8Array();
const ONE = { blobs: M1_ALL };
const complete = (name: string) => repository(name, IX_M1, ...M1_ALL);
const other = (name: string) => repository(name, [M2], ...M2_ALL);

const layerOfBlake3 = named(A.bytes, digestOf('blake3', A.bytes) ?? '', TYPES.layer);
const ofBlake3 = manifest({ layers: [layerOfBlake3] });
const unknown = named(
  A.bytes,
  'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
  TYPES.layer,
);
const ofUnknown = manifest({ layers: [unknown] });

/** Keys that are no blobs and directories that are no repositories; choosing repositories. */
export const keyRows: readonly Row[] = [
  {
    vector: '29',
    title: 'names that are no digests',
    keys: {
      ...complete('r'),
      [`r/blobs/${A.path.slice(0, -1)}`]: A.bytes,
      [`r/blobs/${A.path}.tmp`]: A.bytes,
      [`r/blobs/sha256/${'A'.repeat(64)}`]: A.bytes,
      [`r/blobs/${C.path}/extra`]: A.bytes,
      [`r/blobs/${A.digest}`]: A.bytes,
      'r/blobs/SHA256/x': A.bytes,
      [`r/blobs/sha512/${A.path.slice(7)}`]: A.bytes,
    },
    expect: {
      repositories: { r: ONE },
      ls: { ignored: 7 },
      hidden: [
        `r/blobs/${A.path.slice(0, -1)}`,
        `r/blobs/${A.path}.tmp`,
        `r/blobs/sha256/${'A'.repeat(64)}`,
        `r/blobs/${A.digest}`,
        'r/blobs/SHA256',
        'r/blobs/sha512',
      ],
    },
  },
  {
    vector: '29',
    title: 'something below a blob',
    store: 'memory',
    keys: { ...complete('r'), [`r/blobs/${A.path}/extra`]: B.bytes },
    expect: { repositories: { r: ONE }, ls: { ignored: 1 } },
  },
  {
    vector: '37',
    title: 'the internals of a registry',
    keys: {
      ...complete('r'),
      'r/.uploads/u1': A.bytes,
      ...under('r/.sync/u/', complete('r')),
      ...complete('_trivy/x'),
      '_trivy/db/trivy.db': A.bytes,
      '_sessions/s': A.bytes,
      _restore_complete: Buffer.from('1'),
      'cache.db': A.bytes,
      'meta.db': A.bytes,
    },
    expect: {
      repositories: { r: ONE },
      ls: { ignored: 0 },
      hidden: [
        'r/.uploads',
        'r/.sync',
        'r/.sync/u/r',
        '_trivy',
        '_sessions',
        'cache.db',
        'meta.db',
      ],
      files: { _restore_complete: Buffer.from('1') },
    },
  },
  {
    vector: '37',
    title: 'a sync in progress is nobody’s copy',
    keys: {
      ...repository('r', IX_M1, M1, K, B),
      ...placeholders('r', A),
      ...under('r/.sync/u/', complete('r')),
    },
    expect: {
      repositories: { r: { blobs: [M1, K, B], lost: [A] } },
      ls: { lost: [[A, 'r']] },
    },
  },
  {
    vector: '38',
    title: 'markers of directories',
    store: 'memory',
    keys: {
      ...complete('r'),
      ...placeholders('r', C),
      'r/': NOTHING,
      'r/blobs/': NOTHING,
      'r/blobs/sha256/': NOTHING,
      '/': NOTHING,
      r: NOTHING,
      'r/blobs': NOTHING,
      r_$folder$: NOTHING,
      'lone/': NOTHING,
      'lone-adls': NOTHING,
    },
    expect: {
      repositories: { r: ONE },
      ls: { lost: [[C, 'r']], ignored: 9 },
      hidden: ['lone', 'lone-adls', 'r_$folder$'],
    },
  },
  {
    vector: 'G5',
    title: 'blake3, and an algorithm that nobody can verify',
    keys: repository('r', [ofBlake3, ofUnknown], ofBlake3, ofUnknown, K, layerOfBlake3, unknown),
    expect: {
      repositories: {
        r: { blobs: [ofBlake3, ofUnknown, K, layerOfBlake3], broken: [unknown] },
      },
    },
  },
  {
    vector: 'G6',
    title: 'keys that no file system can show',
    store: 'memory',
    keys: {
      ...complete('r'),
      ...complete('r//x'),
      ...complete('./y'),
      ...complete('r/../z'),
      ...complete('n'.repeat(256)),
      ...complete('nul\0'),
      ...complete('lone\ud800'),
      ...complete('bad\ufffd'),
    },
    expect: { repositories: { r: ONE }, ls: { ignored: 42 } },
  },
  {
    vector: 'G9',
    title: 'names that begin with a dot or an underscore',
    keys: {
      ...complete('r'),
      ...complete('_x'),
      ...complete('.x'),
      ...complete('r/_x'),
      ...complete('a/.x/b'),
    },
    expect: { repositories: { r: ONE }, hidden: ['_x', '.x', 'r/_x', 'a/.x', 'a'] },
  },
  {
    vector: 'G9',
    title: 'names that only a plain layout can have',
    keys: { ...complete('Foo'), ...complete('a..b'), ...complete('r') },
    expect: {
      repositories: { r: ONE },
      ls: { incomplete: ['Foo', 'a..b'] },
      hidden: ['Foo', 'a..b'],
    },
  },
  {
    vector: 'G9',
    title: 'names that only a plain layout can have, in plain layouts',
    keys: { ...complete('Foo'), ...complete('a..b c'), ...complete('_x'), ...complete('r/.x') },
    options: { registry: 'plain' },
    expect: { repositories: { Foo: ONE, 'a..b c': ONE }, hidden: ['_x', 'r/.x'] },
  },
  {
    vector: 'G1',
    title: 'included and excluded repositories',
    keys: {
      ...other('a'),
      ...complete('team/a'),
      ...complete('team/a/b'),
      ...complete('team/x'),
      ...other('z'),
    },
    options: { include: ['team/**'], exclude: ['team/x', 'team/a'] },
    expect: {
      repositories: { 'team/a/b': ONE },
      hidden: ['a', 'z', 'team/x', 'team/a/index.json', 'team/a/blobs'],
    },
  },
  {
    vector: 'G1',
    title: 'an excluded repository has the content of a placeholder',
    keys: { ...complete('z'), ...repository('a', IX_M1, M1, K), ...placeholders('a', A, B) },
    options: { exclude: ['z'] },
    expect: { repositories: { a: ONE }, hidden: ['z'] },
  },
];
