import { describe, expect, test } from 'vitest';
import { DocumentError, parseIndex, parseManifest } from './document.js';
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from './media-types.js';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const C = `sha512:${'c'.repeat(128)}`;

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const descriptor = (digest: string, size = 1, mediaType = OCI_MANIFEST) => ({
  mediaType,
  digest,
  size,
});

describe('an index', () => {
  test('keeps its entries in stored order, the same digest as often as it comes', () => {
    const index = parseIndex(
      bytes({ manifests: [descriptor(B, 2), descriptor(A), descriptor(B, 2)] }),
    );
    expect(index).toEqual({
      descriptors: [descriptor(B, 2), descriptor(A), descriptor(B, 2)],
      ignored: 0,
    });
  });

  test('keeps the fields that are shown to people', () => {
    const entry = {
      ...descriptor(A),
      annotations: { 'org.opencontainers.image.ref.name': 'v1', other: 'x' },
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '1' },
      artifactType: 'application/x',
    };
    expect(parseIndex(bytes({ manifests: [entry] })).descriptors).toEqual([
      {
        ...descriptor(A),
        refName: 'v1',
        platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
        artifactType: 'application/x',
      },
    ]);
  });

  test.each([
    ['null, as zot writes it', { schemaVersion: 2, manifests: null }],
    ['none', { schemaVersion: 2, manifests: [] }],
    ['no schemaVersion', { manifests: [] }],
    ['another schemaVersion', { schemaVersion: 1, manifests: [] }],
  ])('may be empty: %s', (_, value) => {
    expect(parseIndex(bytes(value))).toEqual({ descriptors: [], ignored: 0 });
  });

  test.each([
    ['nothing', ''],
    ['half of a document', '{"schemaVersion":2,"manifests":[{"dig'],
    ['no JSON', 'oci'],
    ['a byte order mark', '\uFEFF{"manifests":[]}'],
    ['no manifests', '{}'],
    ['manifests that are an object', '{"manifests":{}}'],
    ['an array', '[]'],
    ['null', 'null'],
    ['text', '"manifests"'],
  ])('is refused: %s', (_, text) => {
    expect(() => parseIndex(bytes(text))).toThrow(DocumentError);
  });

  test.each([
    ['digest too short', { ...descriptor(A), digest: A.slice(0, -1) }],
    ['digest in capitals', { ...descriptor(A), digest: A.toUpperCase() }],
    ['digest with a path in it', { ...descriptor(A), digest: 'x:../../etc/passwd' }],
    ['no digest', { size: 1, mediaType: OCI_MANIFEST }],
    ['digest that is a number', { ...descriptor(A), digest: 7 }],
    ['negative size', descriptor(A, -1)],
    ['fractional size', descriptor(A, 1.5)],
    ['size beyond exact numbers', descriptor(A, 2 ** 53)],
    ['size as text', { ...descriptor(A), size: '1' }],
    ['no size', { digest: A }],
    ['null', null],
    ['an array', [descriptor(A)]],
    ['text', A],
  ])('leaves out and counts an entry: %s', (_, entry) => {
    const index = parseIndex(bytes({ manifests: [entry, descriptor(B)] }));
    expect(index).toEqual({ descriptors: [descriptor(B)], ignored: 1 });
  });

  test('of 100,000 tags is read in one pass', () => {
    const manifests = Array.from({ length: 100_000 }, (_, number) => ({
      ...descriptor(`sha256:${number.toString(16).padStart(64, '0')}`, number),
      annotations: { 'org.opencontainers.image.ref.name': `v${number}` },
    }));
    const document = bytes({ schemaVersion: 2, manifests });
    const started = performance.now();
    const { descriptors } = parseIndex(document);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(descriptors).toHaveLength(100_000);
    expect(descriptors[99_999]?.refName).toBe('v99999');
  });
});

describe('a manifest', () => {
  test('has its config and layers as children', () => {
    const manifest = {
      schemaVersion: 2,
      mediaType: DOCKER_MANIFEST,
      config: descriptor(A, 1, 'application/vnd.docker.container.image.v1+json'),
      layers: [descriptor(B, 2, 'application/vnd.docker.image.rootfs.diff.tar.gzip')],
    };
    expect(parseManifest(bytes(manifest))).toEqual({
      children: [manifest.config, ...manifest.layers],
      manifests: 0,
      ignored: 0,
      mediaType: DOCKER_MANIFEST,
    });
  });

  test('has all lists as children, whatever it claims to be', () => {
    const document = {
      mediaType: OCI_INDEX,
      manifests: [descriptor(A)],
      config: descriptor(B, 1, 'c'),
      layers: [descriptor(C, 1, 'l')],
      blobs: [descriptor(A, 2, 'b')],
    };
    const parsed = parseManifest(bytes(document));
    expect(parsed.manifests).toBe(1);
    expect(parsed.children).toEqual([
      descriptor(A),
      descriptor(B, 1, 'c'),
      descriptor(C, 1, 'l'),
      descriptor(A, 2, 'b'),
    ]);
  });

  test('has no child in its subject', () => {
    const parsed = parseManifest(
      bytes({ subject: descriptor(A), artifactType: 'application/sbom', config: descriptor(B) }),
    );
    expect(parsed.children).toEqual([descriptor(B)]);
    expect(parsed.subject).toEqual(descriptor(A));
    expect(parsed.artifactType).toBe('application/sbom');
  });

  test.each([
    ['urls', { ...descriptor(A, 1, 'tar'), urls: ['https://example.com/a'] }, true],
    ['no urls', { ...descriptor(A, 1, 'tar'), urls: [] }, undefined],
    [
      'a non-distributable layer',
      descriptor(A, 1, 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'),
      true,
    ],
    [
      'a foreign layer',
      descriptor(A, 1, 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'),
      true,
    ],
  ])('may lack the bytes of a layer: %s', (_, layer, foreign) => {
    expect(parseManifest(bytes({ layers: [layer] })).children[0]?.foreign).toBe(foreign);
  });

  test.each([
    ['nothing in it', {}, 0],
    ['odd shapes', { manifests: 'x', config: 7, layers: { a: 1 }, blobs: [null] }, 4],
    ['nulls', { manifests: null, config: null, layers: null }, 0],
  ])('is read with %s', (_, value, ignored) => {
    expect(parseManifest(bytes(value))).toEqual({ children: [], manifests: 0, ignored });
  });

  test.each(['', '[]', 'null', '{"config":', '\uFEFF{}'])('is refused: %j', (text) => {
    expect(() => parseManifest(bytes(text))).toThrow(DocumentError);
  });
});
