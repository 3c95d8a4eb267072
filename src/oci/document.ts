import type { Descriptor } from './descriptor.js';
import { parseDigest } from './digest.js';
import { isForeignLayerType } from './media-types.js';

/**
 * Reading `index.json` and manifests for what they point at. One pass without a schema library:
 * an index may have 100,000 entries. Documents are never re-written, so unknown fields need no care.
 */

const REF_NAME = 'org.opencontainers.image.ref.name';

/** The document is not what its place in a layout asks for. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
}

/** What an image index says. */
export interface ParsedIndex {
  readonly descriptors: readonly Descriptor[];
  /** Entries left out because their digest or size is no digest or size. */
  readonly ignored: number;
}

/** What a manifest or a nested index says. */
export interface ParsedManifest {
  /** `manifests`, `config`, `layers`, `blobs`, in that order. `subject` is no child. */
  readonly children: readonly Descriptor[];
  /** How many of the children, the first ones, come from `manifests`. */
  readonly manifests: number;
  /** Children left out because their digest or size is no digest or size. */
  readonly ignored: number;
  readonly mediaType?: string;
  readonly artifactType?: string;
  /** What this document refers to; not part of a closure. */
  readonly subject?: Descriptor;
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    // The byte order mark is kept, so that JSON.parse refuses it as Go's decoder does.
    value = JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new DocumentError('The document is not JSON.', { cause });
  }
  if (!isObject(value)) throw new DocumentError('The document is not a JSON object.');
  return value;
}

function stringField(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  return typeof value === 'string' ? value : undefined;
}

function parsePlatform(value: unknown): Descriptor['platform'] {
  if (!isObject(value)) return undefined;
  const os = stringField(value, 'os');
  const architecture = stringField(value, 'architecture');
  const variant = stringField(value, 'variant');
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** One descriptor, or undefined when its digest or size is malformed. Never throws. */
export function parseDescriptor(value: unknown): Descriptor | undefined {
  if (!isObject(value)) return undefined;
  const digest = parseDigest(value['digest']);
  const size = value['size'];
  if (digest === undefined || !Number.isSafeInteger(size) || (size as number) < 0) return undefined;
  const mediaType = stringField(value, 'mediaType') ?? '';
  const annotations = value['annotations'];
  const refName = isObject(annotations) ? stringField(annotations, REF_NAME) : undefined;
  const urls = value['urls'];
  const foreign = (Array.isArray(urls) && urls.length > 0) || isForeignLayerType(mediaType);
  const platform = parsePlatform(value['platform']);
  const artifactType = stringField(value, 'artifactType');
  return {
    digest,
    size: size as number,
    mediaType,
    ...(refName === undefined ? {} : { refName }),
    ...(foreign ? { foreign } : {}),
    ...(platform === undefined ? {} : { platform }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** Parse each of `values` onto `into`; answers how many were malformed. */
function collect(values: readonly unknown[], into: Descriptor[]): number {
  let ignored = 0;
  for (const value of values) {
    const descriptor = parseDescriptor(value);
    if (descriptor === undefined) ignored += 1;
    else into.push(descriptor);
  }
  return ignored;
}

/**
 * The entries of an `index.json`, in stored order. `manifests: null` is an empty index: zot writes
 * it for a repository without tags. `schemaVersion` is not looked at, as readers do not either.
 * @throws DocumentError when the bytes are no JSON object with a `manifests` array.
 */
export function parseIndex(bytes: Uint8Array): ParsedIndex {
  const { manifests } = parseObject(bytes) as { readonly manifests?: unknown };
  if (manifests === null) return { descriptors: [], ignored: 0 };
  if (!Array.isArray(manifests)) {
    throw new DocumentError('The document has no manifests array, so it is no image index.');
  }
  const descriptors: Descriptor[] = [];
  const ignored = collect(manifests, descriptors);
  return { descriptors, ignored };
}

/**
 * Everything a manifest, an artifact manifest or an index points at, whatever its type claims to
 * be: the union of the lists that are there. Odd shapes are counted, never an error.
 * @throws DocumentError when the bytes are no JSON object.
 */
export function parseManifest(bytes: Uint8Array): ParsedManifest {
  const document = parseObject(bytes);
  const children: Descriptor[] = [];
  let ignored = 0;
  let manifests = 0;
  for (const name of ['manifests', 'config', 'layers', 'blobs']) {
    const value = document[name];
    if (value === undefined || value === null) continue;
    ignored += collect(Array.isArray(value) ? value : [value], children);
    if (name === 'manifests') manifests = children.length;
  }
  const mediaType = stringField(document, 'mediaType');
  const artifactType = stringField(document, 'artifactType');
  const subject = parseDescriptor(document['subject']);
  return {
    children,
    manifests,
    ignored,
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
  };
}
