/**
 * The port to an object store: a flat set of keys with bytes behind them. Drivers (`s3/`,
 * `local/`) implement it; deadline and counting are wrappers around it. Keys are relative to the
 * bucket (or to the local directory) and never begin with a slash of our making.
 */
import type { StoreError } from './errors.js';

/** What a listing or a response head tells about one object. */
export interface ObjectInfo {
  readonly key: string;
  /** Length of the whole object in bytes. */
  readonly size: number;
  /** Opaque version token for `ifMatch`, quotes kept as the server sent them; absent where the store has none. */
  readonly etag?: string;
  /** Milliseconds since the epoch. */
  readonly lastModified?: number;
  /** S3 storage class such as `GLACIER`, when the store names one. */
  readonly storageClass?: string;
  /** Content type, where a response (not a listing) names one. */
  readonly contentType?: string;
}

export interface ListOptions {
  /** Only keys that begin with this, compared as bytes. */
  readonly prefix: string;
  /** `/` folds keys below the next slash into `prefixes`; absent means a flat listing. */
  readonly delimiter?: '/';
  /** `next` of the previous page. */
  readonly token?: string;
  /** Largest number of objects and prefixes in the page; at most (and by default) 1000. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** One page of a listing, in bytewise key order. */
export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  /** Common prefixes, each ending in the delimiter. */
  readonly prefixes: readonly string[];
  /** Token of the next page; absent on the last one. */
  readonly next?: string;
}

export interface GetOptions {
  /** Bytes wanted; `length` ≥ 1. The answer may be shorter at the end of the object. */
  readonly range?: { readonly offset: number; readonly length: number };
  /** Answer only while the object still has this ETag, else `PreconditionFailed`. */
  readonly ifMatch?: string;
  /** Answer only when the object no longer has this ETag, else `NotModified`. */
  readonly ifNoneMatch?: string;
  /** What is read in advance waits until nobody waits for other requests. Default: `foreground`. */
  readonly priority?: 'foreground' | 'background';
  readonly signal?: AbortSignal;
}

/** An answered GET: the head is here, the body streams. The caller must consume or cancel the body. */
export interface GetResult {
  /** `info.size` is the length of the whole object, also for a ranged GET. */
  readonly info: ObjectInfo;
  /** Position of the body's first byte in the object. */
  readonly offset: number;
  /** Number of bytes in the body. A body that ends early throws a `StoreError` (`Interrupted`). */
  readonly length: number;
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Put the bytes of the body into `target` as they arrive; instead of `body`, and once.
   * @param target at least `length` bytes, which are the driver's until this settles, whatever
   *   happens: it settles only when nothing can be written there any more. Most drivers do so as soon
   *   as they are cancelled; where the operating system reads a file, it is when it has read it
   * @param arrived called whenever more bytes are in `target`, with how many there are in all
   * @throws StoreError as `body` does; what has arrived by then is in `target`
   */
  readInto(target: Uint8Array, arrived?: (bytes: number) => void): Promise<void>;
  /** Stop the transfer; safe to call at any time, also after the end. */
  cancel(): void;
}

/** What a store can do; callers ask this and never which driver it is. */
export interface StoreCapabilities {
  /** `ifMatch` and `ifNoneMatch` are honoured. */
  readonly conditionalGet: boolean;
  /** `copy` happens without the bytes passing through this host. */
  readonly serverSideCopy: boolean;
  /** Objects with equal ETags are one file (hard links), which takes its space once. */
  readonly linkedObjects?: boolean;
}

/** The reading half, all that a mount ever gets. */
export interface ObjectStore {
  /** For messages and status, e.g. `s3://bucket` or `file:///srv/registry`. No credentials. */
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  /** @throws StoreError */
  list(options: ListOptions): Promise<ListPage>;
  /** @throws StoreError; a range on an empty object is `RangeNotSatisfiable`. */
  get(key: string, options?: GetOptions): Promise<GetResult>;
  /** @throws StoreError */
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo>;
  /** Release sockets and file handles. */
  close(): Promise<void>;
}

/** What a store can do beyond reading. */
export interface WritingCapabilities extends StoreCapabilities {
  /**
   * `putIfAbsent` is decided by the store, so that of two writers one is refused; as far as can be
   * known before it is tried: some S3 servers do not know conditional writes.
   */
  readonly conditionalWrite: boolean;
  /** A copy by one request answers the SHA-256 that the store computed of what it wrote. */
  readonly copyChecksum: boolean;
  /** Largest object that is copied by one request, in bytes. */
  readonly largestCopy: number;
  /** Length of the parts in which larger ones are copied, one request each, in bytes. */
  readonly copyPart: number;
}

export interface CopyOptions {
  /** Length of the object, where it is known: larger ones than one request copies need it. */
  readonly size?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a store told about a copy that it made. */
export interface CopyResult {
  /** Hexadecimal; only where the store computed it of the whole copy. */
  readonly sha256?: string;
  /** The copy's version token, where the store names it. */
  readonly etag?: string;
}

/** A key that could not be deleted, and why. */
export interface DeleteFailure {
  readonly key: string;
  readonly error: StoreError;
}

/** A multipart upload that was begun and neither completed nor aborted. */
export interface UploadInFlight {
  readonly key: string;
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAt?: number;
}

/** The writing verbs, used by `migrate`, `rollback`, `repair`, `gc` and by the seeding of tests. */
export interface WritableObjectStore extends ObjectStore {
  readonly capabilities: WritingCapabilities;
  /** @throws StoreError */
  put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo>;
  /**
   * As `put`, when there is no such key yet. A request that was repeated because its answer was
   * lost may meet its own object.
   * @throws StoreError, `PreconditionFailed` when the key exists
   */
  putIfAbsent(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo>;
  /** Deleting an absent key succeeds. @throws StoreError */
  delete(key: string, signal?: AbortSignal): Promise<void>;
  /**
   * Delete up to 1000 keys, by one request where the store can. Absent keys succeed.
   * @returns the keys that could not be deleted
   * @throws StoreError when the request as a whole failed: some keys may be gone
   */
  deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<readonly DeleteFailure[]>;
  /**
   * Copy an object within the store; readers of `to` see the whole copy or what was there before.
   * @throws StoreError
   */
  copy(from: string, to: string, options?: CopyOptions): Promise<CopyResult>;
  /**
   * Multipart uploads under way below `prefix`, whole: one request for each thousand. Stores without
   * such have none.
   * @throws StoreError
   */
  uploads(prefix: string, signal?: AbortSignal): Promise<readonly UploadInFlight[]>;
  /** Give a multipart upload up; one that is gone already is no error. @throws StoreError */
  abortUpload(upload: UploadInFlight, signal?: AbortSignal): Promise<void>;
}

/** Requests that copying an object of `size` bytes takes. */
export function copyRequests({ largestCopy, copyPart }: WritingCapabilities, size: number): number {
  return size <= largestCopy ? 1 : 2 + Math.ceil(size / copyPart);
}
