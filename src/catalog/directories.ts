import { LRUCache } from 'lru-cache';
import type { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import { MAX_INDEX_BYTES } from '../oci/limits.js';
import type { DirectoryListing, Registry, SeenListing } from '../registry/registry.js';
import { isStoreError } from '../store/errors.js';

/** Directories remembered. */
const MAX_DIRECTORIES = 50_000;

/** How long a directory without repositories stays out of its parent's listing, in ms. */
const BARREN_FOR = 60_000;

/** Names below a stray `blobs/` that show it to be a pool of blobs and no namespace. */
const ALGORITHMS: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512', 'blake3']);

interface Visit {
  readonly listing: DirectoryListing;
  readonly at: number;
  /** A directory `blobs` outside of repositories with blobs in it and nothing else. */
  readonly isPool: boolean;
}

/** Which repositories are shown. */
export interface RepositorySelection {
  accepts(repository: string): boolean;
  /** Whether an accepted repository could lie below this directory. */
  mayContain(directory: string): boolean;
}

/** The directories of a registry as their listings show them, each listed when it is visited. */
export class Directories {
  readonly #registry: Registry;
  readonly #selection: RepositorySelection;
  readonly #refreshMs: number;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #changed: (path: string) => void;
  readonly #visits = new LRUCache<string, Visit>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: MAX_DIRECTORIES,
    sizeCalculation: () => 1,
  });
  readonly #visiting = new Map<string, Promise<DirectoryListing>>();
  #expiredBefore = -Infinity;

  constructor(options: {
    registry: Registry;
    selection: RepositorySelection;
    refreshMs: number;
    log: Log;
    counters: Counters;
    /** Another listing than the last one was read, or shall be. */
    changed: (path: string) => void;
  }) {
    this.#registry = options.registry;
    this.#selection = options.selection;
    this.#refreshMs = options.refreshMs;
    this.#log = options.log;
    this.#counters = options.counters;
    this.#changed = options.changed;
  }

  /** The listing, when it is younger than the refresh interval; no request. */
  fresh(path: string): DirectoryListing | undefined {
    const visit = this.#visits.get(path);
    return visit && this.#isFresh(visit.at) ? visit.listing : undefined;
  }

  /** The last listing, however old; no request. */
  last(path: string): DirectoryListing | undefined {
    return this.#visits.get(path)?.listing;
  }

  /**
   * The listing, at most the refresh interval old; an older one only when the store fails.
   * @throws StoreError
   */
  async visit(path: string): Promise<DirectoryListing> {
    const fresh = this.fresh(path);
    if (fresh) return fresh;
    let visiting = this.#visiting.get(path);
    if (!visiting) {
      visiting = this.#list(path).finally(() => this.#visiting.delete(path));
      this.#visiting.set(path, visiting);
    }
    try {
      return await visiting;
    } catch (error) {
      const last = this.last(path);
      if (!last || !isStoreError(error) || error.code === 'AccessDenied') throw error;
      this.#log.warn({ path, reason: error.message }, 'A directory is served from an old listing.');
      const { isPool = false } = this.#visits.get(path) ?? {};
      this.#visits.set(path, { listing: last, at: performance.now(), isPool });
      return last;
    }
  }

  /** Whether a visit has shown that no repository at or below `path` is shown; no request. */
  isBarren(path: string): boolean {
    const visit = this.#visits.get(path);
    if (!visit || performance.now() - visit.at > BARREN_FOR) return false;
    const { repository, children } = visit.listing;
    if (repository && this.#selection.accepts(path)) return false;
    return visit.isPool || children.every((name) => this.#isHidden(join(path, name)));
  }

  #isHidden(path: string): boolean {
    const isSelected = this.#selection.accepts(path) || this.#selection.mayContain(path);
    return !isSelected || this.isBarren(path);
  }

  /** Have one directory listed anew at its next use. */
  expire(path: string): void {
    const visit = this.#visits.peek(path);
    if (visit) this.#visits.set(path, { ...visit, at: -Infinity });
    this.#registry.takeSeen(path);
    this.#changed(path);
  }

  /** Have every directory listed anew at its next use. */
  expireAll(): void {
    this.#expiredBefore = performance.now();
  }

  async #list(path: string): Promise<DirectoryListing> {
    const { listing, at = performance.now() } = this.#takeSeen(path) ?? {
      listing: await this.#registry.list(path),
    };
    if (listing.ignored.length > 0) {
      this.#counters.increment('registry.ignoredKeys', listing.ignored.length);
      this.#log.debug(
        { path, ignored: listing.ignored.slice(0, 20) },
        'Keys that no registry writes are ignored.',
      );
    }
    const isPool = await this.#isPool(path, listing);
    const last = this.#visits.peek(path)?.listing;
    this.#visits.set(path, { listing, at, isPool });
    if (last && !hasSameEntries(last, listing)) this.#changed(path);
    // A directory with nothing but blobs is no namespace; one more LIST tells.
    if (path !== '' && !listing.repository && listing.children.includes('blobs')) {
      await this.visit(join(path, 'blobs')).catch(() => undefined);
    }
    return listing;
  }

  #isFresh(at: number): boolean {
    return at >= this.#expiredBefore && performance.now() - at < this.#refreshMs;
  }

  /** What was seen of it when the registry was opened is as good as a LIST, while it is fresh. */
  #takeSeen(path: string): SeenListing | undefined {
    const seen = this.#registry.takeSeen(path);
    return seen && this.#isFresh(seen.at) ? seen : undefined;
  }

  /**
   * Listing a pool of blobs to look for a repository among them could take very long, so only one
   * that is called as the algorithm is looked for, by one GET.
   */
  async #isPool(path: string, { repository, children }: DirectoryListing): Promise<boolean> {
    if (repository || !/(^|\/)blobs$/.test(path)) return false;
    if (!children.every((name) => ALGORITHMS.has(name))) return false;
    for (const name of children) {
      try {
        const read = this.#registry.readIndex(join(path, name), { maxBytes: MAX_INDEX_BYTES });
        if ((await read) !== undefined) return false;
      } catch {
        return false;
      }
    }
    return true;
  }
}

function hasSameEntries(one: DirectoryListing, other: DirectoryListing): boolean {
  return (
    (one.repository === undefined) === (other.repository === undefined) &&
    one.children.length === other.children.length &&
    one.children.every((name, index) => name === other.children[index])
  );
}

/** Path of a child. */
export function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
