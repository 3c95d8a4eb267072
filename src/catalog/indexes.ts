import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { withinDeadline } from '../blobs/deadline.js';
import type { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import { DocumentError, parseIndex } from '../oci/document.js';
import { MAX_INDEX_BYTES } from '../oci/limits.js';
import type { Registry, StoredDocument } from '../registry/registry.js';
import type { EarlyRead } from './early-reads.js';
import { CatalogError } from './errors.js';
import { type IndexSnapshot, makeSnapshot } from './index-snapshot.js';
import type { Manifests } from './manifests.js';
import { RepositoryState } from './repository-state.js';

/** Pause before a broken document is read once more: some stores show objects half written. */
const RETRY_PAUSE = 300;

/** A reader waits no longer than this for a revalidation when an older version is at hand, in ms. */
const STALE_AFTER = 5000;

export interface IndexesOptions {
  readonly registry: Registry;
  readonly manifests: Manifests;
  /** A snapshot older than this is revalidated before it answers, in ms. */
  readonly refreshMs: number;
  /** Budget for snapshots and what they reach, in bytes. */
  readonly memoryBytes: number;
  readonly log: Log;
  readonly counters: Counters;
  /** Another version of an index was read, or it is gone. */
  readonly changed: (repository: string) => void;
}

/** The current `index.json` of each repository in use, revalidated by conditional GETs. */
export class Indexes {
  readonly #options: IndexesOptions;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #states: LRUCache<string, RepositoryState>;
  readonly #refreshing = new Map<string, Promise<RepositoryState | undefined>>();
  #expiredBefore = -Infinity;

  constructor(options: IndexesOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#counters = options.counters;
    const maxSize = Math.max(2, options.memoryBytes);
    this.#states = new LRUCache({
      maxSize,
      // One huge repository may not be refused a place, or every read of it would fetch it anew.
      sizeCalculation: (state) => Math.min(state.weight, Math.floor(maxSize / 2)),
    });
  }

  /** What is known of a repository, fresh or not; no request. */
  peek(repository: string): RepositoryState | undefined {
    return this.#states.peek(repository);
  }

  /**
   * The repository, revalidated when older than the refresh interval (or than `maxAge` ms).
   * Undefined: it has no `index.json`.
   * @throws StoreError, CatalogError when there is no earlier version to fall back on
   */
  async current(
    repository: string,
    maxAge = this.#options.refreshMs,
  ): Promise<RepositoryState | undefined> {
    const state = this.#states.get(repository);
    if (state && performance.now() - state.checkedAt < maxAge) return state;
    const refreshing = this.#refreshing.get(repository) ?? this.#start(repository, state);
    if (!state) return refreshing;
    try {
      return await withinDeadline(refreshing, STALE_AFTER, `Reading index.json of ${repository}`);
    } catch (error) {
      return this.#serveStale(state, error);
    }
  }

  /**
   * Ask the store now, whatever is known.
   * @throws StoreError, CatalogError; the next use asks again then
   */
  async revalidate(repository: string): Promise<RepositoryState | undefined> {
    this.#expiredBefore = performance.now();
    // One that is under way may have asked before what is to be seen.
    for (let under = this.#refreshing.get(repository); under !== undefined;) {
      await under.catch(() => undefined);
      under = this.#refreshing.get(repository);
    }
    const state = this.#states.get(repository);
    try {
      return await this.#start(repository, state);
    } catch (error) {
      if (state) state.checkedAt = -Infinity;
      throw error;
    }
  }

  /**
   * Take the answer to a read that began before it was known that there is a repository. Failures are
   * for those who wait for {@link current}.
   */
  adopt(repository: string, early: EarlyRead): void {
    const isLate =
      early.at < this.#expiredBefore || performance.now() - early.at >= this.#options.refreshMs;
    if (isLate || this.#states.has(repository) || this.#refreshing.has(repository)) early.drop();
    else void this.#start(repository, undefined, early);
  }

  /** For how long a snapshot is known to be the current one without asking, in ms. */
  freshFor(snapshot: IndexSnapshot): number {
    const state = this.#states.peek(snapshot.repository);
    if (state?.snapshot !== snapshot || state.stale) return 0;
    return Math.max(0, this.#options.refreshMs - (performance.now() - state.checkedAt));
  }

  /** Have every snapshot revalidated at its next use. */
  expireAll(): void {
    this.#expiredBefore = performance.now();
    for (const state of this.#states.values()) state.checkedAt = -Infinity;
  }

  /** Repositories whose last revalidation failed. */
  stale(): string[] {
    return [...this.#states.values()].filter((s) => s.stale).map((s) => s.repository);
  }

  #start(
    repository: string,
    state: RepositoryState | undefined,
    early?: EarlyRead,
  ): Promise<RepositoryState | undefined> {
    const refreshing = this.#refresh(repository, state, early).finally(() =>
      this.#refreshing.delete(repository),
    );
    refreshing.catch(() => undefined);
    this.#refreshing.set(repository, refreshing);
    return refreshing;
  }

  #serveStale(state: RepositoryState, error: unknown): RepositoryState {
    this.#counters.increment('catalog.indexStale');
    if (!state.stale) {
      this.#log.warn(
        { repository: state.repository, reason: String(error) },
        'index.json cannot be revalidated; the last version read is served, marked stale.',
      );
    }
    state.stale = true;
    state.checkedAt = performance.now();
    return state;
  }

  async #refresh(
    repository: string,
    state: RepositoryState | undefined,
    early?: EarlyRead,
  ): Promise<RepositoryState | undefined> {
    const etag = state?.snapshot.etag;
    const ahead = await early?.document;
    // It may have come into being just now.
    const read = ahead ?? (await this.#read(repository, etag));
    const now = ahead !== undefined && early ? early.at : performance.now();
    if (read === undefined) {
      if (this.#states.delete(repository)) this.#options.changed(repository);
      return undefined;
    }
    if (state) {
      if (state.stale) this.#log.info({ repository }, 'index.json is up to date again.');
      state.stale = false;
      state.checkedAt = now;
      if (read === 'unchanged') {
        // Its weight may have grown since it was entered.
        this.#states.set(repository, state);
        return state;
      }
    }
    if (read === 'unchanged') {
      throw new CatalogError(`The store says that index.json of ${repository} never changed.`);
    }
    const snapshot = await this.#parse(repository, read, state?.snapshot);
    if (snapshot.version === state?.snapshot.version) return state;
    this.#counters.increment('catalog.indexRead');
    const next = state ?? new RepositoryState(snapshot, this.#options.manifests);
    if (state) state.supersede(snapshot, now);
    next.checkedAt = ahead === undefined ? performance.now() : now;
    this.#states.set(repository, next);
    if (state) this.#options.changed(repository);
    return next;
  }

  #read(
    repository: string,
    ifNoneMatch?: string,
  ): Promise<StoredDocument | 'unchanged' | undefined> {
    return this.#options.registry.readIndex(repository, {
      maxBytes: MAX_INDEX_BYTES,
      ...(ifNoneMatch !== undefined && { ifNoneMatch }),
    });
  }

  /**
   * A broken document is read once more, then shown as it is with the blobs of the last good
   * version. An empty one is no version: some stores create objects before they fill them. Where
   * there is none to fall back on, its snapshot says so, and nobody can open it.
   */
  async #parse(
    repository: string,
    first: StoredDocument,
    last: IndexSnapshot | undefined,
  ): Promise<IndexSnapshot> {
    let document = first;
    for (let attempt = 0; ; attempt++) {
      try {
        const { descriptors, ignored } = parseIndex(document.bytes);
        if (ignored > 0) {
          this.#log.warn({ repository, ignored }, 'index.json has malformed descriptors.');
        }
        return makeSnapshot(repository, document, { descriptors });
      } catch (error) {
        if (!(error instanceof DocumentError)) throw error;
        if (attempt === 0) {
          await sleep(RETRY_PAUSE);
          const again = await this.#read(repository);
          if (again !== undefined && again !== 'unchanged') document = again;
          continue;
        }
        this.#counters.increment('catalog.indexBad');
        this.#log.warn({ repository, reason: error.message }, 'index.json is not an image index.');
        if (document.bytes.byteLength === 0 && last !== undefined) {
          throw new CatalogError(`index.json of ${repository || '/'} is empty in the store.`);
        }
        const descriptors = last?.descriptors ?? [];
        return makeSnapshot(repository, document, { descriptors, problem: error.message });
      }
    }
  }
}
