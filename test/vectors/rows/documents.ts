import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  C,
  content,
  describe,
  EMPTY_JSON,
  imageIndex,
  indexJson,
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
  X1_ALL,
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
  ...documentVariants(),
];

/** The closure, by rules G4 and G8. */
function documentVariants(): Row[] {
  const nested = imageIndex([imageIndex([X1]), M1]);
  const middle = imageIndex([X1]);
  const artifact = content(
    json({ mediaType: TYPES.artifact, artifactType: 'application/x', blobs: [describe(C)] }),
    TYPES.artifact,
  );
  const odd = content(json({ config: describe(K), layers: [describe(A)] }), 'application/x+json');
  const nulls = content(
    json({ schemaVersion: 2, config: describe(K), layers: null, manifests: null, subject: null }),
    TYPES.manifest,
  );
  const without = { fields: { mediaType: undefined } };
  const untyped = manifest({ layers: [A], fields: { mediaType: undefined } });
  const noJson = content('<html>', TYPES.manifest);
  const lying = manifest({ layers: [A, describe(B, { fields: { size: B.size - 1 } })] });
  const agreeing = manifest({ layers: [B] });
  return [
    {
      vector: 'G8',
      title: 'an index in an index in an index',
      keys: {
        ...layout('r', [tagged(nested, 'v1')]),
        ...blobs('storage', nested, middle, ...X1_ALL),
      },
      expect: { repositories: { r: { blobs: [nested, middle, ...X1_ALL] } } },
    },
    {
      vector: 'G8',
      title: 'an artifact manifest',
      keys: repository('r', [artifact], artifact, C),
      expect: { repositories: { r: { blobs: [artifact, C] } } },
    },
    {
      vector: 'G8',
      title: 'a document of unknown type is a leaf',
      keys: repository('r', [odd, M2], odd, K, A, ...M2_ALL),
      expect: { repositories: { r: { blobs: [odd, ...M2_ALL] } } },
    },
    {
      vector: 'G8',
      title: 'documents and descriptors without a media type',
      keys: repository(
        'r',
        [describe(untyped, without), describe(X1, without), describe(C, without)],
        untyped,
        ...X1_ALL,
      ),
      expect: { repositories: { r: { blobs: [untyped, ...X1_ALL] } } },
    },
    {
      vector: 'G8',
      title: 'a manifest with null for its lists, and one that is no JSON',
      keys: repository('r', [nulls, noJson], nulls, noJson, K),
      expect: { repositories: { r: { blobs: [nulls, noJson, K] } } },
    },
    {
      vector: 'G4',
      title: 'an index that lies about the size of a manifest',
      keys: repository('r', [describe(M1, { fields: { size: M1.size + 1 } })], ...M1_ALL),
      expect: {
        repositories: { r: { blobs: [K, A, B], broken: [{ ...M1, size: M1.size + 1 }] } },
      },
    },
    {
      vector: 'G4',
      title: 'a manifest that lies about the size of a layer',
      keys: { ...layout('r', [lying]), ...blobs('storage', lying, K, A, B) },
      expect: {
        repositories: { r: { blobs: [lying, K, A], broken: [{ ...B, size: B.size - 1 }] } },
      },
    },
    {
      vector: 'G4',
      title: 'two manifests that disagree about the size of a layer',
      keys: repository('r', [lying, agreeing], lying, agreeing, K, A, B),
      expect: { repositories: { r: { blobs: [lying, agreeing, K, A, B] } } },
    },
    {
      vector: 'G4',
      title: 'two entries that disagree about the size of a manifest',
      keys: repository('r', [describe(M1, { fields: { size: 7 } }), M1], ...M1_ALL),
      expect: { repositories: { r: { blobs: M1_ALL } } },
    },
    {
      vector: 'G4',
      title: 'the empty blob under another size',
      keys: repository(
        'r',
        indexJson(describe(content(''), { fields: { size: 5 } }), M2),
        ...M2_ALL,
      ),
      expect: {
        repositories: { r: { blobs: M2_ALL, broken: [{ ...content(''), size: 5 }] } },
      },
    },
  ];
}
