import { createHash } from 'node:crypto';
import type { Digest } from '../../src/oci/digest.js';

/**
 * The letters of the table of vectors, as real bytes with real digests: layers `A`, `B`, `C`,
 * configs `K`, `K2`, manifests `M1`, `M2`, the index `X1`, the empty blob `E`, and the keys under
 * which a registry stores them.
 */

/** Objects of a store by key. */
export type Keys = Readonly<Record<string, Uint8Array>>;

/** Bytes, and how a descriptor names them. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** `digest` as a path below `blobs/`. */
  readonly path: string;
  readonly size: number;
  readonly mediaType: string;
}

/** What an index or a manifest may say of a content beside its digest. */
export interface DescriptorOptions {
  /** Becomes the annotation that makes it a tag. */
  readonly tag?: string;
  /** Overrides: a wrong `size`, `mediaType: undefined` to leave it out, `urls`, `platform`… */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export type Descriptor = Readonly<Record<string, unknown>>;

export const TYPES = {
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  foreignLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  artifact: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeign: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

/** Content from text or bytes. */
export function content(
  bytes: string | Uint8Array,
  mediaType: string = TYPES.layer,
  algorithm = 'sha256',
): Content {
  const body = Buffer.from(bytes);
  const encoded = createHash(algorithm).update(body).digest('hex');
  return named(body, `${algorithm}:${encoded}`, mediaType);
}

/** Content under a digest that need not be its own. */
export function named(bytes: Uint8Array, digest: string, mediaType: string): Content {
  const path = digest.replace(':', '/');
  return { bytes, digest: digest as Digest, path, size: bytes.length, mediaType };
}

/** JSON as zot writes it: compact. */
export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** The descriptor of a content. */
export function describe(
  { digest, size, mediaType }: Content,
  { tag, fields = {} }: DescriptorOptions = {},
): Descriptor {
  const annotations =
    tag === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': tag } };
  return { mediaType, digest, size, ...annotations, ...fields };
}

/** Contents stand for their plain descriptors. */
type Described = Content | Descriptor;
const asDescriptor = (one: Described): Descriptor =>
  'bytes' in one ? describe(one as Content) : one;

export interface ManifestParts {
  readonly config?: Described;
  readonly layers?: readonly Described[];
  /** Further members, such as `subject`; undefined leaves a usual one out. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly mediaType?: string;
  readonly algorithm?: string;
}

/** A manifest over a config and layers. */
export function manifest({
  config = K,
  layers = [],
  fields = {},
  mediaType = TYPES.manifest,
  algorithm,
}: ManifestParts): Content {
  const document = {
    schemaVersion: 2,
    mediaType,
    config: asDescriptor(config),
    layers: layers.map(asDescriptor),
    ...fields,
  };
  return content(json(document), mediaType, algorithm);
}

/** An image index (or docker manifest list) over manifests. */
export function imageIndex(
  manifests: readonly Described[],
  { mediaType = TYPES.index, fields = {} }: Omit<ManifestParts, 'config' | 'layers'> = {},
): Content {
  const document = {
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map(asDescriptor),
    ...fields,
  };
  return content(json(document), mediaType);
}

/** The bytes of an `index.json` as zot writes it. */
export function indexJson(...manifests: readonly Described[]): Uint8Array {
  return json({ schemaVersion: 2, manifests: manifests.map(asDescriptor) });
}

/** `M` with the tag `tag`. */
export function tagged(one: Content, tag: string): Descriptor {
  return describe(one, { tag });
}

/** The bytes of a usual `oci-layout`. */
export const L = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

const below = (directory: string) => (directory === '' ? '' : `${directory}/`);

/** `r/L` and `r/ix[…]`: the documents of a repository, `index` its descriptors or its bytes. */
export function layout(repository: string, index: Uint8Array | readonly Described[]): Keys {
  const bytes = index instanceof Uint8Array ? index : indexJson(...index);
  return {
    [`${below(repository)}oci-layout`]: L,
    [`${below(repository)}index.json`]: bytes,
  };
}

/** `d/blobs/<algorithm>/<encoded>` with content, of a repository or of a blob root. */
export function blobs(directory: string, ...contents: readonly Content[]): Keys {
  const entries = contents.map(({ path, bytes }) => [`${below(directory)}blobs/${path}`, bytes]);
  return Object.fromEntries(entries) as Keys;
}

/** `d/blobs/…→0`. */
export function placeholders(directory: string, ...contents: readonly Content[]): Keys {
  return blobs(directory, ...contents.map((one) => ({ ...one, bytes: new Uint8Array() })));
}

/** A repository as a plain layout: documents and all `contents`. */
export function repository(
  name: string,
  index: Uint8Array | readonly Described[],
  ...contents: readonly Content[]
): Keys {
  return { ...layout(name, index), ...blobs(name, ...contents) };
}

/** `keys` below `prefix`. */
export function under(prefix: string, keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).map(([key, body]) => [prefix + key, body]));
}

/** Text that is another one for each name and longer than one sector. */
const text = (name: string, size: number) => `${name} `.repeat(Math.ceil(size / 8)).slice(0, size);

export const A = content(text('layer-A', 1500));
export const B = content(text('layer-B', 700));
export const C = content(text('layer-C', 300));
export const K = content('{"architecture":"amd64","os":"linux","config":{}}', TYPES.config);
export const K2 = content('{"architecture":"arm64","os":"linux","config":{}}', TYPES.config);
/** `{}`, the config of artifacts. */
export const EMPTY_JSON = content('{}', TYPES.empty);
/** No bytes at all. */
export const E = content('');
export const E512 = content('', TYPES.layer, 'sha512');

export const M1 = manifest({ config: K, layers: [A, B] });
export const M2 = manifest({ config: K2, layers: [B, C] });
export const X1 = imageIndex([M1, M2]);

/** The closures of the above. */
export const M1_ALL: readonly Content[] = [M1, K, A, B];
export const M2_ALL: readonly Content[] = [M2, K2, B, C];
export const X1_ALL: readonly Content[] = [X1, M1, K, A, B, M2, K2, C];

/** `ix[M1:v1]`. */
export const IX_M1 = indexJson(tagged(M1, 'v1'));
