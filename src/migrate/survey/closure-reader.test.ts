import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../test/support/memory-store.js';
import type { Digest } from '../../oci/digest.js';
import { OCI_MANIFEST } from '../../oci/media-types.js';
import { ClosureReader, type ManifestRead } from './closure-reader.js';
import { takeSurvey } from './take-survey.js';

const digestOf = (bytes: string): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const layer = digestOf('layer');
const foreign = digestOf('foreign');
const MANIFEST = JSON.stringify({
  mediaType: OCI_MANIFEST,
  layers: [
    { mediaType: LAYER, digest: layer, size: 5 },
    { mediaType: LAYER, digest: foreign, size: 9, urls: ['https://example.com'] },
  ],
});
const manifest = digestOf(MANIFEST);
const at = (directory: string, digest: Digest): string =>
  `${directory}/blobs/${digest.replace(':', '/')}`;
const INDEX = JSON.stringify({
  manifests: [{ mediaType: OCI_MANIFEST, digest: manifest, size: MANIFEST.length }],
});

function repository(name: string, index = INDEX): Record<string, string> {
  return { [`${name}/oci-layout`]: '{}', [`${name}/index.json`]: index };
}

async function read(objects: Record<string, string>, ...names: string[]) {
  const store = new MemoryStore(objects);
  const survey = await takeSurvey({ store, root: '' });
  store.requests.length = 0;
  const reads: ManifestRead[] = [];
  const reader = new ClosureReader(survey, { onManifest: (one) => reads.push(one) });
  const closures = await Promise.all(names.map((name) => reader.read(name)));
  const blobs = closures.map((closure) =>
    closure.blobs.map(({ number, size, foreign: excused }) => [
      survey.blobs.digests.digest(number),
      size,
      excused,
    ]),
  );
  return { store, reader, closures, blobs, reads };
}

describe('closures', () => {
  test('share the manifests that repositories share', async () => {
    const { store, reader, blobs } = await read(
      {
        ...repository('a'),
        ...repository('b'),
        [at('a', manifest)]: MANIFEST,
        [at('b', manifest)]: '',
      },
      'a',
      'b',
    );
    const expected = [
      [manifest, MANIFEST.length, false],
      [layer, 5, false],
      [foreign, 9, true],
    ];
    expect(blobs).toEqual([expected, expected]);
    expect(store.requests.map(({ verb }) => verb)).toEqual(['GET', 'GET', 'GET']);
    expect(reader.gets).toBe(3);
  });

  test('believe no manifest whose bytes are not its own, and take another copy', async () => {
    const bad = MANIFEST.replace(LAYER, LAYER.toUpperCase());
    const objects = { ...repository('a'), [at('a', manifest)]: bad };
    const alone = await read(objects, 'a');
    expect(alone.closures[0]).toMatchObject({ unread: [manifest] });
    expect(alone.blobs[0]).toHaveLength(1);
    const helped = await read({ ...objects, [at('storage', manifest)]: MANIFEST }, 'a');
    expect(helped.closures[0]?.unread).toEqual([]);
    expect(helped.blobs[0]).toHaveLength(3);
    expect(helped.reads).toEqual([
      {
        digest: manifest,
        key: at('a', manifest),
        outcome: { state: 'wrong', size: bad.length, actual: digestOf(bad) },
      },
      {
        digest: manifest,
        key: at('storage', manifest),
        outcome: { state: 'right', size: MANIFEST.length },
      },
    ]);
  });

  test('keep their roots, and what manifests point at', async () => {
    const { reader, closures } = await read(
      { ...repository('a'), [at('a', manifest)]: MANIFEST },
      'a',
    );
    expect(closures[0]?.roots).toMatchObject([{ digest: manifest, mediaType: OCI_MANIFEST }]);
    expect(reader.known(manifest)?.map(({ digest }) => digest)).toEqual([layer, foreign]);
    expect(reader.known(layer)).toBeUndefined();
  });

  test.each([
    ['no JSON', 'x', 'The document is not JSON.'],
    ['no descriptors', '{"layers":[{"digest":7}]}', 'It has 1 entries that are no descriptors.'],
    [
      'entries of a type that is not followed',
      JSON.stringify({ manifests: [{ mediaType: 'x/y', digest: layer, size: 5 }] }),
      `It lists ${layer} of type x/y, which is no manifest that layoutfs knows.`,
    ],
  ])('say what may be behind a manifest with %s', async (_, document, doubt) => {
    const digest = digestOf(document);
    const entry = { mediaType: OCI_MANIFEST, digest, size: document.length };
    const index = JSON.stringify({ manifests: [entry] });
    const { reads } = await read({ ...repository('a', index), [at('a', digest)]: document }, 'a');
    expect(reads).toMatchObject([{ outcome: { state: 'right', doubt } }]);
  });

  test('say what may be behind an index', async () => {
    const unknown = { mediaType: 'x/y', digest: layer, size: 5 };
    const { closures } = await read(
      {
        ...repository('a', JSON.stringify({ manifests: [unknown] })),
        ...repository('b', JSON.stringify({ manifests: [{ digest: 'sha256:x' }] })),
      },
      'a',
      'b',
    );
    expect(closures.map(({ doubt }) => doubt)).toEqual([
      `It lists ${layer} of type x/y, which is no manifest that layoutfs knows.`,
      'It has 1 entries that are no descriptors.',
    ]);
  });

  test('say why nothing is known of a repository', async () => {
    const { closures } = await read(repository('a', '{'), 'a', 'gone');
    expect(closures[0]?.problem).toBe(
      'The index.json of a cannot be read: The document is not JSON.',
    );
    expect(closures[1]?.problem).toBe('The index.json of gone is not there any more.');
  });
});
