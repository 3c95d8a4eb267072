import { createCipheriv, createHash } from 'node:crypto';

import {
  type Corpus,
  MANIFEST,
  REF_NAME,
  repository,
  sha256,
  type StoredDescriptor,
} from '../../images/corpus.js';

/** An image with layers of chosen bytes: faults are aimed at them. */
export interface FaultImage {
  readonly tag: string;
  readonly descriptor: StoredDescriptor;
  /** Layers, config and manifest by digest. */
  readonly blobs: ReadonlyMap<string, Buffer>;
}

const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** `length` bytes that look random and are the same for the same seed. */
export function seededBytes(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

/** A descriptor of some bytes. */
export function describeBytes(mediaType: string, bytes: Buffer): StoredDescriptor {
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

/** An image of these layers, which need be no archives: nothing here unpacks them. */
export function makeImage(tag: string, layers: readonly Buffer[]): FaultImage {
  const digests = layers.map(sha256);
  const config = Buffer.from(
    JSON.stringify({
      created: '2024-01-01T00:00:00Z',
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: digests },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: describeBytes(CONFIG, config),
      layers: layers.map((layer) => describeBytes(LAYER, layer)),
    }),
  );
  const blobs = [...layers, config, manifest].map((bytes) => [sha256(bytes), bytes] as const);
  const descriptor = {
    ...describeBytes(MANIFEST, manifest),
    annotations: { [REF_NAME]: tag },
  };
  return { tag, descriptor, blobs: new Map(blobs) };
}

/** Repositories of such images. */
export function corpusOf(repositories: Readonly<Record<string, readonly FaultImage[]>>): Corpus {
  const blobs = new Map(
    Object.values(repositories).flatMap((images) => images.flatMap((image) => [...image.blobs])),
  );
  return {
    blobs,
    repositories: Object.entries(repositories)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, images]) =>
        repository(
          name,
          images.map((image) => image.descriptor),
          blobs,
        ),
      ),
  };
}

/** Where a repository of a mount shows a blob, relative to the mountpoint. */
export function blobPath(repositoryName: string, digest: string): string {
  return `${repositoryName}/blobs/${digest.replace(':', '/')}`;
}

/** The key of a blob in the shared layout. */
export function sharedKey(digest: string): string {
  return `storage/blobs/${digest.replace(':', '/')}`;
}
