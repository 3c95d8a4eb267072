import type { Digest } from '../oci/digest.js';

/** A content: whoever stores it, its bytes are those that hash to the digest. */
export interface ContentName {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * The port to the blobs on the local disk. A complete blob was verified before it became complete,
 * and is shared by every store and every mount that uses the directory; a partial one is proof of
 * nothing.
 *
 * No method fails because of the disk: a full, read-only or damaged cache is logged, counted and
 * answered as a miss.
 */
export interface DiskCache {
  /**
   * The complete blob, or undefined. It is not evicted before it is closed. A file that is not the
   * one that was recorded (inode, size, mtime, ctime) is hashed before it is answered.
   */
  open(name: ContentName): Promise<CachedBlob | undefined>;
  /**
   * The blob as far as it is known, empty or left over from an earlier run; undefined when it cannot
   * be kept (no room, read-only, being written by another mount).
   */
  openPartial(name: ContentName): Promise<PartialBlob | undefined>;
  close(): Promise<void>;
}

/** A complete, verified blob that is kept open. */
export interface CachedBlob {
  /** Of the plain file, named by the digest. */
  readonly path: string;
  /** Open for reading until {@link close}; for handing it to the kernel as a backing file. */
  readonly fd: number;
  /** ctime of the file, in ns, when its bytes were known to be right. */
  readonly changedAt: bigint;
  /**
   * Read into `target` until it is full.
   * @param position in the blob, in bytes
   * @throws Error when the disk fails; the blob is then to be fetched again
   */
  read(target: Uint8Array, position: number): Promise<void>;
  /** Close once. */
  close(): void;
}

/** A blob that is being put together, in parts of {@link PartialBlob.partSize} bytes. */
export interface PartialBlob {
  /** Bytes in a part; the last one is shorter. */
  readonly partSize: number;
  /** Whether a part is on the disk. */
  has(index: number): boolean;
  /**
   * Read a range of parts that are on the disk into `target`, until it is full.
   * @throws Error when the disk fails, or a part that an earlier run left is not what was written
   * ({@link has} is false then); the parts are to be fetched again
   */
  read(target: Uint8Array, position: number): Promise<void>;
  /**
   * Keep one whole part, or several that follow one another in `bytes`; false when the disk does not
   * take them. `bytes` may be reused afterwards.
   */
  write(index: number, bytes: Uint8Array): Promise<boolean>;
  /**
   * All parts are on the disk, and the caller has found that *the bytes that it wrote or read here*
   * hash to the digest: make the blob complete. Undefined when the disk does not take it. Closes it
   * either way, once reads and writes under way have ended.
   */
  complete(): Promise<CachedBlob | undefined>;
  /** The bytes are wrong, or not wanted any more: remove them. Closes it. */
  discard(): Promise<void>;
  /** Stop; what is there may be gone on with later. */
  close(): Promise<void>;
}
