import type { Row } from '../row.js';
import {
  A,
  blobs,
  C,
  content,
  describe,
  EMPTY_JSON,
  imageIndex,
  IX_M1,
  json,
  K,
  K2,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  manifest,
  named,
  repository,
  tagged,
  TYPES,
  X1,
} from '../vocabulary.js';

const signature = manifest({
  config: EMPTY_JSON,
  layers: [C],
  fields: { subject: describe(M1), artifactType: 'application/vnd.example.signature' },
});
const subjectIndex = imageIndex([M2], { fields: { subject: describe(M1) } });

const foreign = content('a layer that may not be distributed', TYPES.foreignLayer);
const foreignLayer = describe(foreign, { fields: { urls: ['https://layers.example/x'] } });
const withForeign = manifest({ layers: [A, foreignLayer] });
const demandsForeign = manifest({
  layers: [{ ...foreignLayer, mediaType: TYPES.layer, urls: [] }],
});

const dockerConfig = { ...K2, mediaType: TYPES.dockerConfig };
const dockerLayer = { ...A, mediaType: TYPES.dockerLayer };
const dockerForeign = { ...foreign, mediaType: TYPES.dockerForeign };
const docker = manifest({
  config: dockerConfig,
  layers: [dockerLayer, dockerForeign],
  mediaType: TYPES.dockerManifest,
});
const dockerList = imageIndex([docker], { mediaType: TYPES.dockerList });

const cosign = ['sig', 'att', 'sbom'].map((kind) =>
  tagged(signature, `${M1.digest.replace(':', '-')}.${kind}`),
);

/** Contents under names that are not theirs, since no hash can contain itself. */
const forged = (letter: string, child: string) =>
  named(
    json({ schemaVersion: 2, manifests: [{ mediaType: TYPES.index, digest: child, size: 180 }] }),
    `sha256:${letter.repeat(64)}`,
    TYPES.index,
  );
const forgedX1 = forged('1', `sha256:${'2'.repeat(64)}`);
const forgedX2 = forged('2', `sha256:${'1'.repeat(64)}`);

const TRUNCATED = IX_M1.subarray(0, 100);
const BROKEN_INDEXES: readonly (readonly [string, Uint8Array])[] = [
  ['truncated', TRUNCATED],
  ['{}', Buffer.from('{}')],
  ['a number for manifests', Buffer.from('{"schemaVersion":2,"manifests":7}')],
  ['not JSON', Buffer.from('<Error><Code>SlowDown</Code></Error>')],
  ['a list', Buffer.from('[]')],
  ['a byte order mark', Buffer.concat([Buffer.from('\ufeff'), IX_M1])],
];

/** What `index.json` and manifests may say. */
export const documentRows: readonly Row[] = [
  {
    vector: '20',
    title: 'an index names a manifest that is absent',
    keys: repository('r', [tagged(M1, 'v1'), tagged(M2, 'v2')], K, A, ...M2_ALL),
    expect: { repositories: { r: { blobs: M2_ALL, lost: [M1] } } },
  },
  {
    vector: '20',
    title: 'an image index names a child that is absent',
    keys: { ...layout('r', [tagged(X1, 'v1')]), ...blobs('storage', X1, ...M2_ALL) },
    expect: { repositories: { r: { blobs: [X1, ...M2_ALL], lost: [M1] } } },
  },
  ...BROKEN_INDEXES.map(([title, bytes]): Row => ({
    vector: '22',
    title: `index.json is ${title}`,
    keys: { ...repository('r', bytes, ...M1_ALL), ...repository('s', [M2], ...M2_ALL) },
    expect: {
      repositories: { r: { blobs: [] }, s: { blobs: M2_ALL } },
      warns: [/index\.json is not an image index/],
    },
  })),
  {
    vector: '22',
    title: 'index.json is empty',
    keys: repository('r', new Uint8Array(), ...M1_ALL),
    expect: {
      repositories: { r: { blobs: [], index: 'EIO' } },
      warns: [/index\.json is not an image index/],
    },
  },
  {
    vector: '22',
    title: 'entries that are no descriptors',
    keys: repository(
      'r',
      json({
        schemaVersion: 2,
        manifests: [
          null,
          7,
          {},
          { digest: 'sha256:x', size: 1 },
          { digest: M2.digest, size: -1 },
          { digest: M2.digest, size: '9' },
          { mediaType: TYPES.manifest, digest: `sha256:../../${'a'.repeat(58)}`, size: 1 },
          describe(M1),
        ],
      }),
      ...M1_ALL,
    ),
    expect: { repositories: { r: { blobs: M1_ALL } }, warns: [/malformed descriptors/] },
  },
  {
    vector: '23',
    title: 'an index that reaches itself by forged content',
    keys: repository('r', [tagged(forgedX1, 'v1'), M1], forgedX1, forgedX2, ...M1_ALL),
    expect: { repositories: { r: { blobs: M1_ALL, broken: [forgedX1] } } },
  },
  {
    vector: '23',
    title: 'both ends of a circle of forged content',
    keys: repository('r', [forgedX1, forgedX2], forgedX1, forgedX2),
    expect: { repositories: { r: { blobs: [], broken: [forgedX1, forgedX2] } } },
  },
  {
    vector: '31',
    title: 'a referrer, an index that refers, and a referrer without its subject',
    keys: {
      ...repository('r', [tagged(M1, 'v1'), signature, subjectIndex], ...M1_ALL),
      ...blobs('r', signature, EMPTY_JSON, subjectIndex, ...M2_ALL),
      ...repository('s', [signature], signature, EMPTY_JSON, C),
    },
    expect: {
      repositories: {
        r: { blobs: [...M1_ALL, signature, EMPTY_JSON, subjectIndex, ...M2_ALL] },
        s: { blobs: [signature, EMPTY_JSON, C] },
      },
    },
  },
  {
    vector: '33',
    title: 'a foreign layer that is absent',
    keys: repository('r', [withForeign], withForeign, K, A),
    expect: {
      repositories: { r: { blobs: [withForeign, K, A], foreign: [foreign] } },
      counters: { 'blobs.unresolved': 0 },
    },
  },
  {
    vector: '33',
    title: 'a foreign layer that is present',
    keys: repository('r', [withForeign], withForeign, K, A, foreign),
    expect: { repositories: { r: { blobs: [withForeign, K, A, foreign] } } },
  },
  {
    vector: '33',
    title: 'a layer that one manifest calls foreign and another does not',
    keys: repository('r', [withForeign, demandsForeign], withForeign, demandsForeign, K, A),
    expect: {
      repositories: { r: { blobs: [withForeign, demandsForeign, K, A], lost: [foreign] } },
    },
  },
  {
    vector: '34',
    title: 'docker documents',
    keys: repository('r', [tagged(dockerList, 'v1'), docker], dockerList, docker, K2, A),
    expect: {
      repositories: {
        r: { blobs: [dockerList, docker, dockerConfig, dockerLayer], foreign: [dockerForeign] },
      },
    },
  },
  {
    vector: '35',
    title: 'the tags of cosign',
    keys: repository('r', [tagged(M1, 'v1'), ...cosign], ...M1_ALL, signature, EMPTY_JSON, C),
    expect: { repositories: { r: { blobs: [...M1_ALL, signature, EMPTY_JSON, C] } } },
  },
];
