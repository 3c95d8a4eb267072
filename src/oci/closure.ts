import type { Descriptor } from './descriptor.js';
import type { Digest } from './digest.js';
import { isIndexType, isManifestType } from './media-types.js';

/**
 * The closure of an image index: every digest reachable from its descriptors through manifests and
 * nested indexes. Pure: reading a manifest is the caller's.
 */

/** A descriptor without media type is tried as a manifest up to this many bytes. */
const UNTYPED_MANIFEST_LIMIT = 4 * 1024 * 1024;

const DEFAULT_CONCURRENCY = 16;
const DEFAULT_MAX_DEPTH = 64;
const DEFAULT_MAX_NODES = 10_000_000;
/** Different sizes kept of one digest; more is an attack, not a mistake. */
const MAX_SIZES = 16;

export interface ClosureOptions {
  /** Manifests read at once. */
  readonly concurrency?: number;
  /** Levels of manifests below the roots; deeper ones are leaves. */
  readonly maxDepth?: number;
  /** Distinct digests; further ones are left out. */
  readonly maxNodes?: number;
  readonly signal?: AbortSignal;
  /**
   * Called once for each distinct (digest, size), as soon as it is known, and once more when a
   * descriptor that may not be absent follows one that may.
   */
  readonly onDescriptor?: (descriptor: Descriptor) => void;
}

export interface Closure {
  /**
   * Each reachable digest with its descriptors, one for each size that is claimed of it (nearly
   * always one). Order: level by level, in document order.
   */
  readonly blobs: ReadonlyMap<Digest, readonly Descriptor[]>;
  /** Manifests that could not be read: `readManifest` answered undefined. */
  readonly unread: readonly Digest[];
  /** Which limit cut the walk short, if one did. */
  readonly limited?: 'depth' | 'nodes';
}

/** Whether the walk reads the blob behind `descriptor` as a manifest; anything else is a leaf. */
export function isWalkable(descriptor: Descriptor): boolean {
  const { mediaType, size } = descriptor;
  if (mediaType === '') return size > 0 && size <= UNTYPED_MANIFEST_LIMIT;
  return isManifestType(mediaType) || isIndexType(mediaType);
}

/**
 * Walk from `roots` breadth first; cycles and diamonds end at the visited set. `readManifest`
 * answers what a manifest points at, or undefined when it cannot be had; it is called once for each
 * digest, at most `concurrency` at a time.
 * @throws whatever `readManifest` throws, and the reason of an aborted `signal`.
 */
export async function walkClosure(
  roots: Iterable<Descriptor>,
  readManifest: (descriptor: Descriptor) => Promise<readonly Descriptor[] | undefined>,
  options: ClosureOptions = {},
): Promise<Closure> {
  const { concurrency = DEFAULT_CONCURRENCY, maxDepth = DEFAULT_MAX_DEPTH, signal } = options;
  const collector = new Collector(options);
  let level = collector.add(roots);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === maxDepth) {
      collector.limited = 'depth';
      break;
    }
    const found = await mapConcurrently(level, concurrency, async (descriptor) => {
      signal?.throwIfAborted();
      const children = await readManifest(descriptor);
      if (children !== undefined) collector.announce(children);
      return children;
    });
    signal?.throwIfAborted();
    level.forEach(({ digest }, position) => {
      if (found[position] === undefined) collector.unread.push(digest);
    });
    level = found.flatMap((children) => (children === undefined ? [] : collector.add(children)));
  }
  return {
    blobs: collector.blobs,
    unread: collector.unread,
    ...(collector.limited === undefined ? {} : { limited: collector.limited }),
  };
}

/** What was seen so far: blobs in level order, and which manifests the walk has taken on. */
class Collector {
  readonly blobs = new Map<Digest, Descriptor[]>();
  readonly unread: Digest[] = [];
  limited: 'depth' | 'nodes' | undefined;
  readonly #taken = new Set<Digest>();
  /** Sizes doubled, plus one where only foreign descriptors claim them. */
  readonly #announced = new Map<Digest, number | Set<number>>();
  readonly #maxNodes: number;
  readonly #onDescriptor: ((descriptor: Descriptor) => void) | undefined;

  constructor(options: ClosureOptions) {
    this.#maxNodes = options.maxNodes ?? DEFAULT_MAX_NODES;
    this.#onDescriptor = options.onDescriptor;
  }

  /** Record descriptors; answers those whose blobs must be read as manifests, each digest once. */
  add(descriptors: Iterable<Descriptor>): Descriptor[] {
    const walkable: Descriptor[] = [];
    for (const descriptor of descriptors) {
      if (!this.#record(descriptor)) continue;
      this.#announceOne(descriptor);
      if (!isWalkable(descriptor) || this.#taken.has(descriptor.digest)) continue;
      this.#taken.add(descriptor.digest);
      walkable.push(descriptor);
    }
    return walkable;
  }

  /** Tell the caller at once, while the rest of the level is still being read. */
  announce(descriptors: Iterable<Descriptor>): void {
    if (this.#onDescriptor === undefined) return;
    for (const descriptor of descriptors) this.#announceOne(descriptor);
  }

  #announceOne(descriptor: Descriptor): void {
    if (this.#onDescriptor === undefined) return;
    const { digest, size, foreign } = descriptor;
    const demanding = 2 * size;
    const claim = foreign === true ? demanding + 1 : demanding;
    const known = this.#announced.get(digest);
    if (known === undefined) this.#announced.set(digest, claim);
    else if (known === claim || known === demanding) return;
    else if (typeof known === 'number') this.#announced.set(digest, new Set([known, claim]));
    else if (known.has(claim) || known.has(demanding)) return;
    else known.add(claim);
    this.#onDescriptor(descriptor);
  }

  /** False when the digest is new and there is no room for it. */
  #record(descriptor: Descriptor): boolean {
    const same = this.blobs.get(descriptor.digest);
    if (same === undefined) {
      if (this.blobs.size >= this.#maxNodes) {
        this.limited = 'nodes';
        return false;
      }
      this.blobs.set(descriptor.digest, [descriptor]);
      return true;
    }
    const position = same.findIndex((other) => other.size === descriptor.size);
    if (position < 0) {
      if (same.length < MAX_SIZES) same.push(descriptor);
    }
    // One mention that demands the bytes outweighs mentions that excuse their absence.
    else if (same[position]?.foreign === true && descriptor.foreign !== true) {
      same[position] = descriptor;
    }
    return true;
  }
}

/** Results of `work` in the order of `items`, with at most `limit` under way; the first error ends it. */
async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !failed) {
      const position = next;
      next += 1;
      try {
        results[position] = await work(items[position] as T);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
