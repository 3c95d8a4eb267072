import { createHash } from 'node:crypto';

/**
 * The test images as a value: blobs by digest, and repositories that name them. How the registry
 * lays them out in a store is the business of `layouts.ts`.
 */
export interface Corpus {
  /** All blobs by digest; each repository shows its closure only. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** In bytewise order of their names. */
  readonly repositories: readonly CorpusRepository[];
}

export interface CorpusRepository {
  readonly name: string;
  /** `index.json` as zot writes it: compact, one descriptor per tag, untagged ones without annotations. */
  readonly index: Buffer;
  readonly tags: readonly CorpusTag[];
  /** Every digest reachable from `index`, in bytewise order. */
  readonly closure: readonly string[];
}

export interface CorpusTag {
  readonly name: string;
  readonly digest: string;
  readonly mediaType: string;
}

/** A descriptor as zot's `index.json` and our manifests hold it, in the order zot writes the fields. */
export interface StoredDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: {
    readonly architecture: string;
    readonly os: string;
    readonly variant?: string;
  };
}

interface Manifest {
  readonly manifests?: readonly StoredDescriptor[];
  readonly config?: StoredDescriptor;
  readonly layers?: readonly StoredDescriptor[];
}

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** `oci-layout` as zot writes it. */
export const OCI_LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** `sha256:…` of some bytes. */
export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * A repository as zot would have written it after pushes in this order.
 * @throws Error when a blob of the closure is not among `blobs`.
 */
export function repository(
  name: string,
  descriptors: readonly StoredDescriptor[],
  blobs: ReadonlyMap<string, Buffer>,
): CorpusRepository {
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: descriptors }));
  const tags = descriptors.flatMap(({ annotations, digest, mediaType }) => {
    const tag = annotations?.[REF_NAME];
    return tag === undefined ? [] : [{ name: tag, digest, mediaType }];
  });
  return { name, index, tags, closure: closure(descriptors, blobs) };
}

function closure(
  roots: readonly StoredDescriptor[],
  blobs: ReadonlyMap<string, Buffer>,
): readonly string[] {
  const seen = new Set<string>();
  const pending = [...roots];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next.digest)) continue;
    seen.add(next.digest);
    const bytes = blobs.get(next.digest);
    if (bytes === undefined) throw new Error(`The corpus lacks ${next.digest}.`);
    if (next.mediaType !== MANIFEST && next.mediaType !== INDEX) continue;
    const { manifests = [], config, layers = [] } = JSON.parse(bytes.toString()) as Manifest;
    pending.push(...manifests, ...layers, ...(config === undefined ? [] : [config]));
  }
  return [...seen].sort();
}
