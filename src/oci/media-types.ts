/**
 * Media types that name a manifest or an index, and those of layers that may rightly be absent.
 * Sources: https://github.com/opencontainers/image-spec/blob/main/media-types.md and
 * https://distribution.github.io/distribution/spec/manifest-v2-2/.
 */

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
/** The artifact manifest that image-spec 1.1 dropped before its release; registries still hold some. */
export const OCI_ARTIFACT_MANIFEST = 'application/vnd.oci.artifact.manifest.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  OCI_MANIFEST,
  OCI_ARTIFACT_MANIFEST,
  DOCKER_MANIFEST,
]);
const INDEX_TYPES: ReadonlySet<string> = new Set([OCI_INDEX, DOCKER_MANIFEST_LIST]);

/** Beginnings of the media types of layers that registries need not hold. */
const FOREIGN_LAYER_PREFIXES = [
  'application/vnd.oci.image.layer.nondistributable.',
  'application/vnd.docker.image.rootfs.foreign.',
];

/** Whether a document of this type names a config, layers or blobs. */
export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.has(mediaType);
}

/** Whether a document of this type names manifests. */
export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.has(mediaType);
}

/** Whether a layer of this type may rightly be absent (non-distributable, foreign). */
export function isForeignLayerType(mediaType: string): boolean {
  return FOREIGN_LAYER_PREFIXES.some((prefix) => mediaType.startsWith(prefix));
}
