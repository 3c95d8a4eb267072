import { MAX_INDEX_BYTES } from '../oci/limits.js';
import type { Registry, StoredDocument } from '../registry/registry.js';

/** Documents that were asked for early, and that nobody has wanted so far, in one refresh interval. */
const MAX_UNWANTED = 2;

/** An index that was asked for before it was known to be wanted. */
export interface EarlyRead {
  /** Before the store was asked; ms, monotonic. */
  readonly at: number;
  /** As of `Registry.readIndex`. */
  readonly document: Promise<StoredDocument | 'unchanged' | undefined>;
  /** There is no repository after all. */
  drop(): void;
}

/**
 * Asks for the index of what is likely to be a repository while that is still being found out, so
 * that who opens an image there waits for one answer of the store and not for two.
 *
 * Likely: what was visited last at the same depth was a repository. However wrong that is, or however
 * many directories are visited and not read, at most {@link MAX_UNWANTED} requests in a refresh
 * interval are made in vain.
 */
export class EarlyReads {
  readonly #registry: Registry;
  readonly #refreshMs: number;
  /** Depths at which the last visit met a repository. */
  readonly #likely = new Set<number>();
  /** When those were asked for that nobody has wanted yet. */
  readonly #unwanted = new Map<string, number>();

  constructor({ registry, refreshMs }: { registry: Registry; refreshMs: number }) {
    this.#registry = registry;
    this.#refreshMs = refreshMs;
  }

  /** A directory turned out to be a repository, or not to be one. */
  visited(path: string, isRepository: boolean): void {
    if (isRepository) this.#likely.add(depthOf(path));
    else this.#likely.delete(depthOf(path));
  }

  /** Ask for the index of a repository, if there is likely to be one. */
  begin(path: string): EarlyRead | undefined {
    if (!this.#likely.has(depthOf(path))) return undefined;
    const at = performance.now();
    for (const [name, since] of this.#unwanted) {
      if (at - since >= this.#refreshMs) this.#unwanted.delete(name);
    }
    if (this.#unwanted.size >= MAX_UNWANTED || this.#unwanted.has(path)) return undefined;
    this.#unwanted.set(path, at);
    const controller = new AbortController();
    const { signal } = controller;
    const document = this.#registry.readIndex(path, { maxBytes: MAX_INDEX_BYTES, signal });
    // A failure is for those who want it.
    document.catch(() => undefined);
    return { at, document, drop: () => controller.abort() };
  }

  /** Somebody wants the index of a repository. */
  wanted(repository: string): void {
    this.#unwanted.delete(repository);
  }
}

function depthOf(path: string): number {
  return path === '' ? 0 : path.split('/').length;
}
