/**
 * The file system as the transports see it: inodes, plain answers, errno errors. No FUSE structs
 * here and no S3; a transport translates requests to these calls and nothing more.
 */

/** An inode number: positive, exact in a JavaScript number (below 2^53). */
export type InodeNumber = number;

/** The root directory's inode number, as FUSE wants it (FUSE_ROOT_ID of the kernel header). */
export const ROOT_INODE: InodeNumber = 1;

export interface Attributes {
  readonly ino: InodeNumber;
  readonly kind: 'directory' | 'file';
  /** Bytes. */
  readonly size: number;
  /** Permission bits only, e.g. 0o444. */
  readonly permissions: number;
  readonly nlink: number;
  /** Milliseconds since the epoch. */
  readonly mtime: number;
}

/** The answer to a lookup. The caller owes one {@link FileSystem.forget} for it. */
export interface Entry {
  readonly attributes: Attributes;
  /** How long the name may be remembered, in ms; `Infinity` for what never changes. */
  readonly entryTimeout: number;
  /** How long the attributes may be remembered, in ms. */
  readonly attributeTimeout: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly attributes: Attributes;
}

/** A listing that costs nothing. */
export interface ListingInHand {
  /** The same (`===`) while `readdir` answers the same names with the same inodes. */
  readonly version: unknown;
  /** For how long that is known without asking, in ms. */
  readonly freshFor: number;
  /** Of every entry, as `lookup` answers them. */
  readonly timeouts: Pick<Entry, 'entryTimeout' | 'attributeTimeout'>;
}

export interface OpenFile {
  readonly handle: number;
  /**
   * Bytes read through this handle come from content that never changes under this inode and was
   * verified already, so pages kept from earlier *trusted* opens may stay. When false, the kernel's
   * pages of the inode must be dropped by this open.
   */
  readonly verified: boolean;
  /**
   * A plain file that has all the bytes, verified, and will have them until `release`; its
   * descriptor is open for reading until then, and the same for all handles of the inode that have
   * one. The kernel may read it instead of asking.
   */
  readonly backing?: BackingFile;
}

/** A plain file with the bytes of an open file. */
export interface BackingFile {
  readonly fd: number;
  /**
   * Its ctime, in ns, when its bytes were known to be right. When it has another one, an open is for
   * the tree to answer, which looks at the bytes again. Undefined where nobody else may change it.
   */
  readonly changedAt?: bigint;
}

/** What a transport must know when the last reference of a handle goes. */
export interface ReleasedFile {
  /** All bytes delivered through this handle are known to be right: their pages may be kept. */
  readonly verified: boolean;
}

export interface FileSystemStats {
  readonly blockSize: number;
  readonly totalBlocks: number;
  readonly files: number;
  readonly maxNameLength: number;
}

export type ErrnoCode =
  | 'ENOENT'
  | 'EIO'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'EACCES'
  | 'EINVAL'
  | 'EBADF'
  | 'EROFS'
  | 'ENAMETOOLONG'
  | 'ETIMEDOUT';

/** An error with the errno that the reader's system call shall return. */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError';

  constructor(
    readonly code: ErrnoCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/**
 * What was answered earlier is not so any more. Only of inodes that somebody has a reference to, and
 * as far as it was found out; what nobody asks about changes without a word.
 */
export type Change =
  /** The name leads to another inode now, or nowhere. */
  | { readonly kind: 'name'; readonly directory: InodeNumber; readonly name: string }
  /** The directory has other entries, or one of them leads to another inode. */
  | { readonly kind: 'listing'; readonly directory: InodeNumber }
  /** Bytes of the inode that may have been read are wrong; its open files answer EIO. */
  | { readonly kind: 'bytes'; readonly ino: InodeNumber }
  /**
   * There is a plain file with all `size` bytes of the inode by now: whoever opens it gets it as
   * `backing`.
   */
  | { readonly kind: 'backing'; readonly ino: InodeNumber; readonly size: number };

/** All calls throw {@link ErrnoError} and nothing else; each answers within the read deadline. */
export interface FileSystem {
  lookup(parent: InodeNumber, name: string): Promise<Entry>;
  getattr(ino: InodeNumber): Promise<Attributes>;
  /** All entries but `.` and `..`, bytewise order. Takes no references. */
  readdir(ino: InodeNumber): Promise<readonly DirectoryEntry[]>;
  /**
   * What `lookup` would have answered for an entry when it was listed, and with a reference as
   * `lookup` takes it: for who tells the kernel names and attributes in one. Never a request.
   * @param entry one that `readdir` answered, the very object
   */
  refer(entry: DirectoryEntry): Entry;
  /**
   * Whether `readdir` could answer now without any request, and all its entries have the same
   * timeouts: then a transport may keep the listing and answer lookups from it. A name that it does
   * not have must be looked up all the same.
   */
  inHand(ino: InodeNumber): ListingInHand | undefined;
  open(ino: InodeNumber): Promise<OpenFile>;
  /**
   * Exactly the bytes of the range that lie within the file; shorter only at the end. They may lie
   * in memory that is used again from the event loop's next turn on: a transport writes or copies
   * them before it awaits anything else.
   */
  read(handle: number, offset: number, length: number): Promise<Uint8Array>;
  release(handle: number): ReleasedFile;
  forget(ino: InodeNumber, count: number): void;
  statfs(): FileSystemStats;
  /**
   * Be told of changes: when the file system knows of one, before any answer that it makes from what
   * is new. The listener must not throw.
   * @returns to be called when no more changes shall be told
   */
  watch(listener: (change: Change) => void): () => void;
}
