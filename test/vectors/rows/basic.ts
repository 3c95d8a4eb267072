import type { Row } from '../row.js';
import {
  A,
  B,
  blobs,
  C,
  content,
  describe,
  E,
  E512,
  EMPTY_JSON,
  indexJson,
  IX_M1,
  json,
  K,
  layout,
  M1,
  M1_ALL,
  M2,
  M2_ALL,
  manifest,
  placeholders,
  repository,
  tagged,
  TYPES,
  X1,
  X1_ALL,
} from '../vocabulary.js';

const withEmpty = manifest({ layers: [A, E] });
const withEmpty512 = manifest({ layers: [A, E512] });
const artifact = manifest({ config: EMPTY_JSON, layers: [A] });
const otherArtifact = manifest({ config: EMPTY_JSON, layers: [B] });
const by512 = manifest({ layers: [A], algorithm: 'sha512' });
const layer384 = content('a layer by sha384', TYPES.layer, 'sha384');
const with384 = manifest({ layers: [layer384] });

/** Layouts as everybody expects them, and the documents they begin with. */
export const basicRows: readonly Row[] = [
  {
    vector: '1',
    title: 'a plain layout in a registry',
    keys: repository('r', IX_M1, ...M1_ALL),
    expect: { repositories: { r: { blobs: M1_ALL } } },
  },
  {
    vector: '1',
    title: 'a plain layout',
    keys: repository('r', IX_M1, ...M1_ALL),
    options: { registry: 'plain' },
    expect: { repositories: { r: { blobs: M1_ALL } } },
  },
  {
    vector: '1',
    title: 'an image index, its children and a blob that nothing refers to',
    keys: repository('r', [tagged(X1, 'v1'), M1, M2], ...X1_ALL, E),
    expect: { repositories: { r: { blobs: X1_ALL } } },
  },
  {
    vector: '1',
    title: 'a plain layout at the root, another below it',
    keys: {
      ...repository('', IX_M1, ...M1_ALL),
      ...repository('Some Dir/r', [M2], ...M2_ALL),
    },
    options: { registry: 'plain' },
    expect: { repositories: { '': { blobs: M1_ALL }, 'Some Dir/r': { blobs: M2_ALL } } },
  },
  {
    vector: '1',
    title: 'a plain layout without oci-layout',
    keys: { 'r/index.json': IX_M1, ...blobs('r', ...M1_ALL) },
    options: { registry: 'plain' },
    expect: {
      repositories: {
        r: { blobs: M1_ALL, ociLayout: json({ imageLayoutVersion: '1.0.0' }) },
      },
    },
  },
  {
    vector: '5',
    title: 'the empty blob of sha256',
    keys: repository('r', [withEmpty], withEmpty, K, A, E),
    expect: { repositories: { r: { blobs: [withEmpty, K, A, E] } } },
  },
  {
    vector: '5',
    title: 'the empty blob of sha512',
    keys: repository('r', [withEmpty512], withEmpty512, K, A, E512),
    expect: { repositories: { r: { blobs: [withEmpty512, K, A, E512] } } },
  },
  {
    vector: '6',
    title: 'the empty blob only in another repository',
    keys: {
      ...repository('r', [withEmpty], withEmpty, K, A),
      ...repository('q', [withEmpty], withEmpty, K, A, E),
    },
    expect: {
      repositories: {
        r: { blobs: [withEmpty, K, A, E] },
        q: { blobs: [withEmpty, K, A, E] },
      },
    },
  },
  {
    vector: '6',
    title: 'the empty blob only in _blobstore',
    keys: {
      ...layout('r', [withEmpty, withEmpty512]),
      ...blobs('_blobstore', withEmpty, withEmpty512, K, A, E, E512),
    },
    expect: {
      repositories: { r: { blobs: [withEmpty, withEmpty512, K, A, E, E512] } },
      hidden: ['_blobstore'],
    },
  },
  ...['null', '[]'].map((manifests): Row => ({
    vector: '21',
    title: `manifests: ${manifests}`,
    keys: layout('r', Buffer.from(`{"schemaVersion":2,"manifests":${manifests}}`)),
    expect: { repositories: { r: { blobs: [] } } },
  })),
  {
    vector: '21',
    title: 'manifests: null beside blobs that nothing refers to any more',
    keys: repository('r', Buffer.from('{"schemaVersion":2,"manifests":null}'), ...M1_ALL),
    expect: { repositories: { r: { blobs: [] } } },
  },
  {
    vector: '26',
    title: 'a manifest by sha512 with layers by sha256',
    keys: repository('r', [tagged(by512, 'v1')], by512, K, A),
    expect: { repositories: { r: { blobs: [by512, K, A] } } },
  },
  {
    vector: '26',
    title: 'sha384 and sha512, shared, with a placeholder',
    keys: {
      ...layout('r', [by512, with384]),
      ...blobs('storage', by512, with384, K, A),
      ...placeholders('r', layer384),
      ...repository('q', [with384], with384, K, layer384),
    },
    expect: {
      repositories: {
        r: { blobs: [by512, with384, K, A, layer384] },
        q: { blobs: [with384, K, layer384] },
      },
    },
  },
  {
    vector: '32',
    title: 'the config {} of two repositories, stored once',
    keys: {
      ...repository('r', [artifact], artifact, A, EMPTY_JSON),
      ...repository('s', [otherArtifact], otherArtifact, B),
      ...placeholders('s', EMPTY_JSON),
    },
    expect: {
      repositories: {
        r: { blobs: [artifact, A, EMPTY_JSON] },
        s: { blobs: [otherArtifact, B, EMPTY_JSON] },
      },
    },
  },
  {
    vector: '36',
    title: 'three tags and an untagged entry of one manifest',
    keys: repository('r', [tagged(M1, 'a'), tagged(M1, 'b'), M1, tagged(M1, 'c')], ...M1_ALL),
    expect: { repositories: { r: { blobs: M1_ALL } } },
  },
  {
    vector: '36',
    title: 'annotations {} and null, and members that nobody knows',
    keys: repository(
      'r',
      indexJson(
        describe(M1, { fields: { annotations: {} } }),
        describe(M2, { fields: { annotations: null, platform: null, urls: null, x: [1] } }),
      ),
      ...M1_ALL,
      ...M2_ALL,
    ),
    expect: { repositories: { r: { blobs: [...M1_ALL, M2, ...M2_ALL.slice(1, 2), C] } } },
  },
  {
    vector: '56',
    title: 'a shared blob directory',
    keys: {
      ...layout('r', IX_M1),
      ...layout('s', [M2]),
      ...Object.fromEntries(
        [...M1_ALL, ...M2_ALL].map(({ path, bytes }) => [`shared/${path}`, bytes]),
      ),
    },
    options: { sharedBlobDir: 'shared' },
    expect: {
      repositories: { r: { blobs: M1_ALL }, s: { blobs: M2_ALL } },
      hidden: ['shared'],
    },
  },
  {
    vector: '56',
    title: 'a shared blob directory is the only place that is looked at',
    keys: {
      ...repository('r', IX_M1, B),
      ...Object.fromEntries([M1, K, A].map(({ path, bytes }) => [`shared/${path}`, bytes])),
    },
    options: { sharedBlobDir: 'shared' },
    expect: { repositories: { r: { blobs: [M1, K, A], lost: [B] } } },
  },
  ...(
    [
      ['1.1.0', '{"imageLayoutVersion":"1.1.0"}'],
      ['no version', '{}'],
      ['further fields', '{ "imageLayoutVersion": "1.0.0", "x": 1 }\n'],
      ['0 bytes', ''],
      ['no JSON', 'oci'],
    ] as const
  ).map(([title, text]): Row => ({
    vector: '57',
    title: `oci-layout with ${title}`,
    keys: { ...repository('r', IX_M1, ...M1_ALL), 'r/oci-layout': Buffer.from(text) },
    expect: {
      repositories: { r: { blobs: M1_ALL } },
      ...(title === 'further fields' ? {} : { warns: [/oci-layout is unusual/] }),
    },
  })),
];
