import type { Blobs } from '../blobs/blobs.js';
import { withinDeadline } from '../blobs/deadline.js';
import type { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import { type Digest, digestParts } from '../oci/digest.js';
import { BLOBS_DIRECTORY, INDEX_FILE, OCI_LAYOUT_FILE } from '../oci/layout.js';
import type { DirectoryListing, Registry, StoredDocument } from '../registry/registry.js';
import { isStoreError } from '../store/errors.js';
import { Directories, join, type RepositorySelection } from './directories.js';
import { EarlyReads } from './early-reads.js';
import type { IndexSnapshot } from './index-snapshot.js';
import { Indexes } from './indexes.js';
import { LayoutFiles } from './layout-files.js';
import { Manifests } from './manifests.js';
import type { Member } from './membership.js';
import type { RepositoryState } from './repository-state.js';

export interface CatalogOptions {
  readonly registry: Registry;
  readonly blobs: Blobs;
  readonly selection: RepositorySelection;
  readonly refreshMs: number;
  /** Longest wait of one question, in ms; the work goes on. */
  readonly deadlineMs: number;
  /** Budget for indexes, manifests and closures, in bytes. */
  readonly memoryBytes: number;
  readonly log: Log;
  readonly counters: Counters;
}

/** A directory of the mount outside of `blobs/`. */
export interface Directory {
  readonly repository: boolean;
  /** Names of child directories, bytewise order. */
  readonly children: readonly string[];
}

/** A digest that a repository refers to, with the one size under which it is shown. */
export interface CatalogBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly foreign: boolean;
}

/** What was found to be different in the store. */
export type CatalogChange =
  /** A repository has another `index.json`, or has none any more. */
  | { readonly kind: 'index'; readonly repository: string }
  /** A directory has other children, or is to be listed anew. */
  | { readonly kind: 'directory'; readonly path: string };

/** What came of asking the store for an index; `absent`: there is none, or it is not shown. */
export type RefreshOutcome = 'changed' | 'unchanged' | 'absent';

/** After an unknown digest the index is read again at most this many times a refresh interval. */
const RECHECKS_PER_REFRESH = 5;

const LAYOUT_NAMES: ReadonlySet<string> = new Set([OCI_LAYOUT_FILE, INDEX_FILE, BLOBS_DIRECTORY]);

/** What repositories there are, and what each contains now. */
export class Catalog {
  readonly #registry: Registry;
  readonly #blobs: Blobs;
  readonly #selection: RepositorySelection;
  readonly #deadlineMs: number;
  readonly #refreshMs: number;
  readonly #recheckMs: number;
  readonly #directories: Directories;
  readonly #indexes: Indexes;
  readonly #earlyReads: EarlyReads;
  readonly #layouts: LayoutFiles;
  readonly #manifests: Manifests;
  #onChange: (change: CatalogChange) => void = () => undefined;

  constructor(options: CatalogOptions) {
    this.#registry = options.registry;
    this.#blobs = options.blobs;
    this.#selection = options.selection;
    this.#deadlineMs = options.deadlineMs;
    this.#refreshMs = options.refreshMs;
    this.#recheckMs = options.refreshMs / RECHECKS_PER_REFRESH;
    const memoryBytes = Math.floor(options.memoryBytes / 2);
    this.#manifests = new Manifests({ ...options, memoryBytes });
    this.#directories = new Directories({
      ...options,
      changed: (path) => this.#onChange({ kind: 'directory', path }),
    });
    this.#layouts = new LayoutFiles(options);
    this.#earlyReads = new EarlyReads(options);
    this.#indexes = new Indexes({
      ...options,
      manifests: this.#manifests,
      memoryBytes,
      changed: (repository) => this.#onChange({ kind: 'index', repository }),
    });
  }

  /** Be told of what is found to be different from what was answered earlier, at once. */
  watch(onChange: (change: CatalogChange) => void): void {
    this.#onChange = onChange;
  }

  /** Whether `name` could be a directory below a repository or namespace at all. */
  isComponent(name: string): boolean {
    return this.#registry.isComponent(name);
  }

  /**
   * Whether `path` is a repository that is shown. One that is known costs at most a conditional
   * GET of its index.
   * @throws StoreError
   */
  async isRepository(path: string): Promise<boolean> {
    if (!this.#selection.accepts(path)) return false;
    const fresh = this.#directories.fresh(path);
    if (fresh) return fresh.repository !== undefined;
    if (this.#indexes.peek(path)) return (await this.#indexes.current(path)) !== undefined;
    return (await this.#visit(path)).repository;
  }

  /**
   * Whether `parent` shows a directory called `name`. Costs one LIST (of the child) when the
   * parent's listing is not known.
   * @throws StoreError
   */
  async hasChild(parent: string, name: string): Promise<boolean> {
    if (!this.isComponent(name)) return false;
    const path = join(parent, name);
    if (!this.#isSelected(path)) return false;
    const listed = this.#directories.fresh(parent);
    if (listed) return listed.children.includes(name) && !this.#isBarrenNow(path);
    if (this.#indexes.peek(path)) return (await this.#indexes.current(path)) !== undefined;
    if (!this.#registry.listable) return this.#probeChild(parent, name);
    const { children, repository } = await this.#visitEagerly(path);
    return (repository !== undefined || children.length > 0) && !this.#isBarrenNow(path);
  }

  /**
   * A directory's content.
   * @throws StoreError; `AccessDenied` when the store refuses to list
   */
  async directory(path: string): Promise<Directory> {
    if (!this.#registry.listable) {
      if (await this.isRepository(path)) return { repository: true, children: [] };
    }
    const { repository, children } = await this.#directories.visit(path);
    const shown = children.filter((name) => {
      const child = join(path, name);
      return this.#isSelected(child) && !this.#directories.isBarren(child);
    });
    return {
      repository: repository !== undefined && this.#selection.accepts(path),
      children: shown,
    };
  }

  /**
   * The current version of a repository's `index.json`.
   * @throws StoreError, CatalogError
   */
  async index(repository: string): Promise<IndexSnapshot | undefined> {
    return (await this.#current(repository))?.snapshot;
  }

  /** For how long that version is known to be the current one without asking, in ms. */
  freshFor(snapshot: IndexSnapshot): number {
    return this.#indexes.freshFor(snapshot);
  }

  /** A reader opened this version: its blobs stay reachable. Answers what to call at the close. */
  pin(snapshot: IndexSnapshot): () => void {
    const state = this.#indexes.peek(snapshot.repository);
    state?.opened(snapshot.version);
    return () => state?.closed(snapshot.version);
  }

  /** The `oci-layout` document, at most the refresh interval old. @throws StoreError */
  ociLayout(repository: string): Promise<StoredDocument | undefined> {
    return this.#layouts.read(repository);
  }

  /**
   * Length (bytes) and time (ms) of the `oci-layout` document, from the listing where there is one.
   * @throws StoreError
   */
  async ociLayoutInfo(repository: string): Promise<{ size: number; mtime: number } | undefined> {
    const listed = this.#directories.last(repository)?.repository?.ociLayout;
    const info = listed ?? (await this.ociLayout(repository))?.info;
    return info && { size: info.size, mtime: info.lastModified ?? 0 };
  }

  /**
   * A digest that the repository refers to: now, in a version somebody has open, or in one
   * superseded a short while ago. Undefined: it refers to no such thing.
   * @throws StoreError, BlobError `unavailable`, CatalogError
   */
  async find(repository: string, digest: Digest): Promise<CatalogBlob | undefined> {
    const member = await withinDeadline(
      this.#findMember(repository, digest),
      this.#deadlineMs,
      `Looking for ${digest} in ${repository}`,
    );
    return member && this.#withSize(repository, member);
  }

  /**
   * What a reader of a layer will probably read next: the next layer of its image, or its config.
   * Undefined where that is not known. No request.
   */
  following(repository: string, layer: Digest): CatalogBlob | undefined {
    const next = this.#manifests.following(layer);
    const member = next && this.#indexes.peek(repository)?.peek(next.digest);
    // Layers are shared, so the image may be another repository's.
    return member?.sizes.length === 1 && !member.foreign ? claimed(member) : undefined;
  }

  /**
   * All digests the current index reaches, those known to be absent left out.
   * @throws StoreError, BlobError `unavailable`, CatalogError
   */
  async list(repository: string): Promise<CatalogBlob[]> {
    const work = this.#members(repository);
    const members = await withinDeadline(
      work,
      this.#deadlineMs,
      `Reading the manifests of ${repository}`,
    );
    const settled = await this.#settleSizes(repository, members);
    // Somebody waits, and there may be tens of thousands: no promise for each.
    return members
      .map((member) => settled.get(member.digest) ?? claimed(member))
      .filter(({ digest, size }) => !this.#blobs.isKnownAbsent({ repository, digest, size }));
  }

  /**
   * Whether `list` would answer from what is known, without a request.
   * @returns `version`: the same (`===`) while the closure is the same; `freshFor`: how long that is
   *   known without asking, in ms
   */
  closureInHand(repository: string): { version: unknown; freshFor: number } | undefined {
    const state = this.#indexes.peek(repository);
    if (!state?.isWhole || state.stale) return undefined;
    const freshFor = this.#refreshMs - (performance.now() - state.checkedAt);
    return freshFor > 0 ? { version: state.snapshot, freshFor } : undefined;
  }

  /** Names of the directories below `blobs/`: `sha256` always, others when used. */
  async algorithms(repository: string): Promise<string[]> {
    const blobs = await this.list(repository);
    return [...new Set(['sha256', ...blobs.map((blob) => digestParts(blob.digest).algorithm)])];
  }

  /** Have everything that may have changed asked for anew at its next use. */
  refresh(): void {
    this.#directories.expireAll();
    this.#indexes.expireAll();
  }

  /**
   * Ask the store now for one repository's index, and have the directories on its way listed anew
   * at their next use. Whoever watches is told of a change before this answers.
   * @throws StoreError, CatalogError, BlobError `unavailable` after the deadline
   */
  async refreshRepository(repository: string): Promise<RefreshOutcome> {
    const names = repository === '' ? [] : repository.split('/');
    if (!names.every((name) => this.isComponent(name))) return 'absent';
    if (!this.#selection.accepts(repository)) return 'absent';
    names.reduce((path, name) => {
      this.#directories.expire(path);
      return join(path, name);
    }, '');
    this.#directories.expire(repository);
    const before = this.#indexes.peek(repository)?.snapshot;
    const after = await withinDeadline(
      this.#indexes.revalidate(repository),
      this.#deadlineMs,
      `Reading index.json of ${repository}`,
    );
    // What is not remembered here may be remembered by those who were told of it.
    if (before === undefined) this.#onChange({ kind: 'index', repository });
    if (after === undefined) return 'absent';
    return after.snapshot.version === before?.version ? 'unchanged' : 'changed';
  }

  /** Repositories served from an index that could not be revalidated. */
  staleRepositories(): string[] {
    return this.#indexes.stale();
  }

  #isSelected(path: string): boolean {
    return this.#selection.accepts(path) || this.#selection.mayContain(path);
  }

  /** A listing that is still fresh shows that there is nothing to see below. */
  #isBarrenNow(path: string): boolean {
    return this.#directories.fresh(path) !== undefined && this.#directories.isBarren(path);
  }

  async #visit(path: string): Promise<{ repository: boolean }> {
    try {
      return { repository: (await this.#visitEagerly(path)).repository !== undefined };
    } catch (error) {
      if (this.#registry.listable || !isStoreError(error, 'AccessDenied')) throw error;
      return { repository: (await this.#indexes.current(path)) !== undefined };
    }
  }

  /** List a directory that somebody goes to by its name, and ask for what comes next if it is likely. */
  async #visitEagerly(path: string): Promise<DirectoryListing> {
    const fresh = this.#directories.fresh(path);
    if (fresh) return fresh;
    const isNew = this.#selection.accepts(path) && this.#indexes.peek(path) === undefined;
    const early = isNew ? this.#earlyReads.begin(path) : undefined;
    let isRepository = false;
    try {
      const listing = await this.#directories.visit(path);
      isRepository = listing.repository !== undefined;
      this.#earlyReads.visited(path, isRepository);
      return listing;
    } finally {
      if (isRepository && early) this.#indexes.adopt(path, early);
      else early?.drop();
    }
  }

  /**
   * Without permission to list, a name is a repository if it has an index; below a namespace any
   * other name may be a namespace again, below a repository it is nothing. Names of a layout's own
   * files are no namespaces: who asks for them wants to know whether the parent is a repository.
   */
  async #probeChild(parent: string, name: string): Promise<boolean> {
    if ((await this.#indexes.current(join(parent, name))) !== undefined) return true;
    if (LAYOUT_NAMES.has(name)) return false;
    return parent === '' || !(await this.isRepository(parent));
  }

  /** As `Indexes.current`, for somebody who reads the index or what it leads to. */
  #current(repository: string, maxAge?: number): Promise<RepositoryState | undefined> {
    this.#earlyReads.wanted(repository);
    return this.#indexes.current(repository, maxAge);
  }

  async #findMember(repository: string, digest: Digest): Promise<Member | undefined> {
    const state = await this.#current(repository);
    if (!state) return undefined;
    const { snapshot } = state;
    const member = await state.find(digest, performance.now());
    if (member) return member;
    // Whoever has a digest that we have not may have read a newer index than ours.
    const again = await this.#current(repository, this.#recheckMs);
    if (again?.snapshot === snapshot) return undefined;
    return again?.find(digest, performance.now());
  }

  async #members(repository: string): Promise<readonly Member[]> {
    const state = await this.#current(repository);
    return state ? state.members() : [];
  }

  /** Those of which documents disagree about the size, by digest. */
  async #settleSizes(
    repository: string,
    members: readonly Member[],
  ): Promise<Map<Digest, CatalogBlob>> {
    const disputed = members.filter(({ sizes }) => sizes.length > 1);
    const settled = await Promise.all(disputed.map((member) => this.#withSize(repository, member)));
    return new Map(settled.map((blob) => [blob.digest, blob]));
  }

  /** Where documents disagree about a size, the stored object decides. */
  async #withSize(repository: string, member: Member): Promise<CatalogBlob> {
    const { digest, sizes } = member;
    const blob = claimed(member);
    if (sizes.length === 1) return blob;
    const stored = await this.#blobs.storedSize(repository, digest);
    return stored !== undefined && sizes.includes(stored) ? { ...blob, size: stored } : blob;
  }
}

/** With the size that the first document claims. */
function claimed({ digest, sizes, foreign }: Member): CatalogBlob {
  return { digest, size: sizes[0] ?? 0, foreign };
}
