import { createHash } from 'node:crypto';
import type { Digest } from '../../../src/oci/digest.js';
import { OCI_MANIFEST } from '../../../src/oci/media-types.js';

/** A blob by its bytes. */
export interface Blob {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

export function blobOf(text: string, algorithm = 'sha256'): Blob {
  const bytes = Buffer.from(text);
  const hash = createHash(algorithm).update(bytes).digest('hex');
  return { bytes, digest: `${algorithm}:${hash}` as Digest };
}

export function keyOf(directory: string, { digest }: Blob): string {
  return `${directory}/blobs/${digest.replace(':', '/')}`;
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CONFIG = 'application/vnd.oci.image.config.v1+json';

const descriptor = ({ digest, bytes }: Blob, mediaType: string): object => ({
  mediaType,
  digest,
  size: bytes.length,
});

/** The manifest of an image with these layers. */
export function manifestOf(config: Blob, layers: readonly Blob[]): Blob {
  return blobOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: descriptor(config, CONFIG),
      layers: layers.map((layer) => descriptor(layer, LAYER)),
    }),
  );
}

/** A repository's documents, with its manifests tagged v1, v2 and so on. */
export function documentsOf(name: string, manifests: readonly Blob[]): Record<string, string> {
  const entries = manifests.map((manifest, position) => ({
    ...descriptor(manifest, OCI_MANIFEST),
    annotations: { 'org.opencontainers.image.ref.name': `v${position + 1}` },
  }));
  return {
    [`${name}/oci-layout`]: '{"imageLayoutVersion":"1.0.0"}',
    [`${name}/index.json`]: JSON.stringify({ schemaVersion: 2, manifests: entries }),
  };
}

const empty = blobOf('');
export const config = blobOf('{"os":"linux","architecture":"amd64"}');
export const layerA = blobOf('layer a '.repeat(100));
export const layerB = blobOf('layer b '.repeat(50));
export const wide = blobOf('layer c '.repeat(20), 'sha512');
export const lost = blobOf('lost');
export const orphan = blobOf('nobody refers to this');
export const half = blobOf('half migrated');
export const global = blobOf('in the blob store of #4137');
export const doubtful = blobOf('one of its copies is not right');
export const spoilt = blobOf('none of its copies is right');
export const alpha = manifestOf(config, [layerA, layerB, wide, half]);
export const beta = manifestOf(config, [layerA, empty, lost, global, doubtful, spoilt]);

/** A registry of two repositories in which every state of a digest occurs once. */
export function smallRegistry(): Record<string, string | Buffer> {
  return {
    ...documentsOf('team/alpha', [alpha]),
    ...documentsOf('team/beta', [beta, alpha]),
    ...documentsOf('zulu', []),
    [keyOf('team/alpha', alpha)]: alpha.bytes,
    [keyOf('team/beta', alpha)]: '',
    [keyOf('team/beta', beta)]: beta.bytes,
    // Content in one, a placeholder in the other; both orders.
    [keyOf('team/alpha', layerA)]: layerA.bytes,
    [keyOf('team/beta', layerA)]: '',
    [keyOf('team/alpha', config)]: '',
    [keyOf('team/beta', config)]: config.bytes,
    // Content in both.
    [keyOf('team/alpha', layerB)]: layerB.bytes,
    [keyOf('team/beta', layerB)]: layerB.bytes,
    [keyOf('team/alpha', wide)]: wide.bytes,
    [keyOf('team/beta', wide)]: '',
    [keyOf('team/beta', empty)]: '',
    [keyOf('team/beta', lost)]: '',
    [keyOf('zulu', orphan)]: orphan.bytes,
    [keyOf('team/alpha', half)]: half.bytes,
    [keyOf('storage', half)]: half.bytes,
    [keyOf('_blobstore', global)]: global.bytes,
    _global_blobstore_migrated: '1',
    _restore_complete: '1',
    [keyOf('team/alpha', doubtful)]: flipped(doubtful),
    [keyOf('team/beta', doubtful)]: doubtful.bytes,
    [keyOf('team/beta', spoilt)]: flipped(spoilt),
    'team/alpha/.note': 'not ours to touch',
  };
}

/** The same without objects whose bytes are not those of their names. */
export function soundRegistry(): Record<string, string | Buffer> {
  const objects = smallRegistry();
  for (const [directory, blob] of [
    ['team/alpha', doubtful],
    ['team/beta', spoilt],
  ] as const) {
    Reflect.deleteProperty(objects, keyOf(directory, blob));
  }
  return objects;
}

/** The bytes with one bit changed. */
export function flipped({ bytes }: Blob): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(0) ^ 1, 0);
  return copy;
}
