import { createHash } from 'node:crypto';
import type { Digest } from '../../../src/oci/digest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.js';

/** A descriptor as documents have it. */
export interface Entry {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const REF_NAME = 'org.opencontainers.image.ref.name';

export function sha256(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The key of `digest` in the `blobs` of `directory`. */
export function keyOf(directory: string, digest: Digest): string {
  return `${directory === '' ? '' : `${directory}/`}blobs/${digest.replace(':', '/')}`;
}

/** A bucket made object by object; `objects` has its keys. */
export class BucketBuilder {
  readonly objects: Record<string, string> = {};

  /** Store `bytes` under their own name, or others under it. */
  blob(directory: string, bytes: string, stored = bytes): Digest {
    const digest = sha256(bytes);
    this.objects[keyOf(directory, digest)] = stored;
    return digest;
  }

  placeholder(directory: string, digest: Digest): this {
    this.objects[keyOf(directory, digest)] = '';
    return this;
  }

  /** Take one object away again. */
  drop(key: string): void {
    Reflect.deleteProperty(this.objects, key);
  }

  /** An image of these layers' bytes: layers, config and manifest are stored in `directory`. */
  image(directory: string, ...layers: string[]): Entry {
    const config = JSON.stringify({ architecture: 'amd64', os: 'linux', layers });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: this.entry(CONFIG, this.blob(directory, config), config.length),
      layers: layers.map((bytes) =>
        this.entry(LAYER, this.blob(directory, bytes), Buffer.byteLength(bytes)),
      ),
    });
    return this.document(directory, OCI_MANIFEST, manifest);
  }

  /** Store a document of any kind. */
  document(directory: string, mediaType: string, text: string): Entry {
    return this.entry(mediaType, this.blob(directory, text), Buffer.byteLength(text));
  }

  /** An image index over `entries`. */
  index(directory: string, ...entries: Entry[]): Entry {
    const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries });
    return this.document(directory, OCI_INDEX, text);
  }

  /** Make `name` a repository with these images by tag. */
  repository(name: string, tags: Readonly<Record<string, Entry>>, ...untagged: Entry[]): this {
    const manifests = [
      ...Object.entries(tags).map(([tag, entry]) => ({
        ...entry,
        annotations: { [REF_NAME]: tag },
      })),
      ...untagged,
    ];
    this.#write(name, 'oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    this.#write(name, 'index.json', JSON.stringify({ schemaVersion: 2, manifests }));
    return this;
  }

  entry(mediaType: string, digest: Digest, size: number): Entry {
    return { mediaType, digest, size };
  }

  #write(name: string, file: string, text: string): void {
    this.objects[name === '' ? file : `${name}/${file}`] = text;
  }
}
