import type { ReaderName } from './readers.js';

/** Why a reader cannot read some images, wherever they lie: its own rule, or bytes that are gone. */
export interface Refusal {
  readonly why: string;
  readonly says: RegExp;
  /** `repository:tag`. */
  readonly images: readonly string[];
}

const SIGNATURE =
  'refs:sha256-463e373d0bd26ac3a16ce49f1e2ba1470ab5984a20ac1a9ab6b441ce11223ec4.sig';

/**
 * Images of the corpus and the fixtures that Debian 12's skopeo 1.9.3 and umoci 0.4.7 cannot read.
 * Tests hold this against a plain local copy and against the mount, so that a change is noticed.
 */
export const REFUSALS: Readonly<Record<ReaderName, readonly Refusal[]>> = {
  skopeo: [
    {
      why: 'finds only entries of the two OCI types by tag',
      says: /no descriptor found for reference/,
      images: ['docker/list:v1', 'docker/single:v1'],
    },
    {
      why: 'fetches a foreign layer from its urls, and those lead nowhere',
      says: /failed fetching external blob/,
      images: ['foreign:v1'],
    },
    {
      why: 'names copied blobs by their sha256',
      says: /blob with digest sha512:\w+ saved with digest sha256:/,
      images: ['sha512:v1'],
    },
    {
      why: 'expects only manifests in an image index',
      says: /Unexpectedly received a manifest list instead of a manifest/,
      images: ['zeta/multi:nested-index'],
    },
  ],
  umoci: [
    {
      why: 'reads only the OCI types',
      says: /descriptor does not point to ispec.MediaTypeImageManifest/,
      images: ['docker/list:v1', 'docker/single:v1'],
    },
    {
      why: 'knows no foreign layers, and the registry does not have it',
      says: /foreign\/blobs\/sha256\/318de017\w+: no such file or directory/,
      images: ['foreign:v1'],
    },
    {
      why: 'knows sha256 only',
      says: /unsupported algorithm: "sha512"/,
      images: ['sha512:v1'],
    },
    {
      why: 'unpacks images, not artifacts',
      says: /config blob is not correct mediatype/,
      images: [
        ...['a-b:v1', 'a.b:v1', 'blobs:v1', 'docker:v1', 'myblobs:v1', 'storage:v1', 'x/blobs:v1'],
        ...['empty/config:v1', 'empty/layer:v1', 'empty/layer2:v1', SIGNATURE],
      ],
    },
    {
      why: 'does not choose a platform',
      says: /tag is ambiguous/,
      images: ['zeta/multi:multi', 'zeta/multi:nested-index', 'library/multi:1.0'],
    },
  ],
};

/** Images of which the registry itself has lost bytes; fixture S9 only. */
export const LOST: Refusal = {
  why: 'the registry has lost blobs of it',
  says: /blobs\/sha256\/\w+: no such file or directory/,
  images: [
    ...['a:v1', 'a-b:v1', 'a.b:v1', 'blobs:v1', 'docker:v1', 'myblobs:v1', 'storage:v1'],
    ...['x/blobs:v1', 'z:v1', 'empty/config:v1', 'empty/layer:v1', 'empty/layer2:v1', SIGNATURE],
  ],
};

/** The refusal that is expected, if any. `lossy`: the source is one of those that {@link LOST} describes. */
export function expectedRefusal(
  reader: ReaderName,
  image: string,
  lossy: boolean,
): Refusal | undefined {
  const possible = lossy ? [LOST, ...REFUSALS[reader]] : REFUSALS[reader];
  return possible.find(({ images }) => images.includes(image));
}
