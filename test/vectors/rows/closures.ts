import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  C,
  content,
  describe,
  imageIndex,
  indexJson,
  json,
  K,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  manifest,
  repository,
  tagged,
  TYPES,
  X1,
  X1_ALL,
} from '../vocabulary.js';

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

/** The closure, by rules G4 and G8. */
export const closureRows: readonly Row[] = [
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
    keys: repository('r', indexJson(describe(content(''), { fields: { size: 5 } }), M2), ...M2_ALL),
    expect: {
      repositories: { r: { blobs: M2_ALL, broken: [{ ...content(''), size: 5 }] } },
    },
  },
];
