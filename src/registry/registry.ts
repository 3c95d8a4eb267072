import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import type { ObjectInfo, ObjectStore } from '../store/object-store.js';
import type { InventoryRules } from './inventory/take-inventory.js';

/**
 * How a registry lays repositories and blobs out in a store. Repository names are paths relative
 * to the registry's root, without leading or trailing slash; the empty name is the root itself.
 */
export interface Registry {
  readonly kind: 'zot' | 'plain' | 'routed';
  /** One line for `status` and the log: root prefix, where blobs live, what was detected. */
  readonly description: string;

  /**
   * Whether anything of a registry was seen when it was opened: one repository, shared blobs or a
   * marker. False: the description only says as what the source would be read.
   */
  readonly recognised: boolean;

  /** What the user should know about the source, full sentences: found when it was opened. */
  readonly warnings: readonly string[];

  /**
   * False when the store refuses LIST: directories are then probed by name, and an absent key may
   * answer 403 (S3 without ListBucket permission).
   */
  readonly listable: boolean;

  /** The roots behind it, nearly always one: for what works on whole stores, such as `check`. */
  readonly areas: readonly RegistryArea[];

  /** Whether `name` may be one component of a repository name; anything else is never looked for. */
  isComponent(name: string): boolean;

  /**
   * Repositories of one scope draw their blobs from one pool: what is present for one of them may
   * be served to all. Two stores never share a scope; neither do plain layouts without a shared
   * blob directory.
   */
  scope(repository: string): string;

  /** Whether other repositories may be of this one's scope. */
  sharesBlobs(repository: string): boolean;

  /**
   * What lies directly below `path`: one paged, delimited LIST and nothing else.
   * @throws StoreError
   */
  list(path: string, signal?: AbortSignal): Promise<DirectoryListing>;

  /**
   * What `list` would have answered while the registry was opened, where all of the directory was
   * seen then: once, and no request. Whoever takes it judges whether it is young enough.
   */
  takeSeen(path: string): SeenListing | undefined;

  /**
   * The stored `index.json` of a repository, whole. With `ifNoneMatch` answers `'unchanged'`
   * when the store still has that version. Undefined: there is no such object.
   * @throws StoreError
   */
  readIndex(
    repository: string,
    options: { ifNoneMatch?: string; maxBytes: number; signal?: AbortSignal },
  ): Promise<StoredDocument | 'unchanged' | undefined>;

  /**
   * The stored `oci-layout`, or the synthesised one where this kind of registry may lack it.
   * @throws StoreError
   */
  readOciLayout(repository: string, signal?: AbortSignal): Promise<StoredDocument | undefined>;

  /**
   * Where the bytes of a digest may be, best first (by recent success). No request is made.
   */
  candidates(repository: string, digest: Digest): readonly BlobLocation[];

  /** Tell the registry that a candidate had the right bytes, so that its kind is tried first. */
  succeeded(location: BlobLocation): void;

  /**
   * Tell the registry that a copy named by a listing is not there any more, so that the listing is
   * repeated before it is old.
   */
  failed(location: BlobLocation): void;

  /**
   * Where the bytes behind a placeholder are, found by a flat listing of the store (shared by all
   * callers, kept on disk, repeated only when it is old). Copies of `descriptor.size` bytes first.
   * Empty: no stored object of this store has the bytes.
   * @throws StoreError, also when `signal` aborts while the listing runs (it goes on).
   */
  locate(
    repository: string,
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    signal?: AbortSignal,
  ): Promise<readonly BlobLocation[]>;

  /**
   * As {@link locate}, but only from what is already known: no request. Undefined: nothing known.
   */
  located(
    repository: string,
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
  ): readonly BlobLocation[] | undefined;

  /**
   * All repositories and the digests whose bytes are lost, by the flat listing behind
   * {@link locate}: one LIST for each thousand keys of the store.
   * @throws StoreError
   */
  scan(options?: ScanOptions): Promise<RegistryScan>;
}

/** One root of a registry in one store. Placeholders are resolved within it and never across. */
export interface RegistryArea {
  readonly kind: 'zot' | 'plain';
  readonly store: ObjectStore;
  /** Key prefix of the root: empty, or ending in a slash. */
  readonly root: string;
  /** How the keys below the root are read. */
  readonly rules: InventoryRules;
  /** A shared blob directory of plain layouts lies outside of the root: its whole key prefix. */
  readonly blobsElsewhere?: string;
  /** Whether the registry looks here for a repository of this name. */
  serves(repository: string): boolean;
}

export interface ScanOptions {
  readonly signal?: AbortSignal;
  /** Called after each page with the number of keys listed so far. */
  readonly onProgress?: (keys: number) => void;
}

/** What a flat listing of the whole registry tells. */
export interface RegistryScan {
  /** Those that directories show, bytewise order. */
  readonly repositories: readonly ScannedRepository[];
  /**
   * Repositories whose place another repository's `blobs`, `index.json` or `oci-layout` takes, so
   * that they cannot be shown; bytewise order.
   */
  readonly shadowed: readonly string[];
  /** Digests of which only placeholders are stored, smallest first. */
  readonly lost: readonly LostBlob[];
  /** Directories that hold blobs but lack `index.json` or `oci-layout`, bytewise order. */
  readonly incomplete: readonly string[];
  /** Keys listed. */
  readonly keys: number;
  /** Keys that no registry writes. */
  readonly ignored: number;
}

export interface ScannedRepository {
  readonly name: string;
  /** Zero-byte dedupe placeholders among the repository's own blobs. */
  readonly placeholders: number;
}

export interface LostBlob {
  readonly digest: Digest;
  /** Directories (nearly always repositories) with a placeholder of it, bytewise order. */
  readonly directories: readonly string[];
}

/** One directory as a delimited LIST shows it. */
export interface DirectoryListing {
  /** Present when `path` is a repository. */
  readonly repository?: {
    /** Undefined where the document is synthesised. */
    readonly index: ObjectInfo;
    readonly ociLayout?: ObjectInfo;
    /** The listing shows keys below `blobs/`, so placeholders are possible. */
    readonly ownBlobs: boolean;
  };
  /**
   * Names of child directories that may be or contain repositories: valid components, hidden ones
   * and blob roots left out, bytewise order. In a repository `blobs` is never among them.
   */
  readonly children: readonly string[];
  /** Nothing at all was found below `path`, not even ignored keys. */
  readonly empty: boolean;
  /** Keys and prefixes left out because no registry writes such names. */
  readonly ignored: readonly string[];
}

/** A directory as it was a moment ago. */
export interface SeenListing {
  readonly listing: DirectoryListing;
  /** Before the store was asked for it; ms, monotonic. */
  readonly at: number;
}

/** A whole small document with its version token. */
export interface StoredDocument {
  readonly bytes: Uint8Array;
  readonly info: ObjectInfo;
}

/** One object that may hold a blob's bytes. */
export interface BlobLocation {
  readonly store: ObjectStore;
  readonly key: string;
  /** Which rule named it. */
  readonly source: 'repository' | 'shared' | 'other';
  /** Known from a listing, when it came from one. */
  readonly size?: number;
  readonly etag?: string;
}
