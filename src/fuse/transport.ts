import type { Log } from '../observe/log.js';
import type { FileSystem } from '../tree/file-system.js';

/** How we talk to the kernel. A transport knows nothing of OCI or S3. */
export interface Transport {
  readonly name: 'libfuse' | 'kernel';
  /**
   * Mount `fileSystem` and answer once the kernel has accepted the mount.
   * @throws MountError with what to do
   */
  mount(fileSystem: FileSystem, options: TransportOptions): Promise<MountedFileSystem>;
}

export interface TransportOptions {
  /** Absolute path of an existing directory, or `/dev/fd/N`: see `handedDescriptor`. */
  readonly mountpoint: string;
  /** First column of `mount` and `df`, e.g. `s3://bucket/prefix`. */
  readonly source: string;
  readonly allowOther: boolean;
  /** Owner shown for every file. */
  readonly uid: number;
  readonly gid: number;
  /** Permission bits that no file or directory has. */
  readonly umask: number;
  /** Upper bound of entry timeouts where they are mount-wide, in ms. */
  readonly refreshMs: number;
  /** Opens may bring files for the kernel to read: what handing them over takes is loaded early. */
  readonly handsFiles?: boolean;
  readonly log: Log;
}

export interface MountedFileSystem {
  /** Settles when the kernel has ended the mount, however that came. */
  readonly ended: Promise<void>;
  /**
   * Have the kernel ask again for all that may have changed, as far as it can be told. What it was
   * told to remember for ever, it remembers.
   */
  refresh(): void;
  /**
   * Wait until the kernel has taken notice of all changes that were found out so far.
   * @returns false if it has not within some seconds; `libfuse` cannot tell it, and answers at once
   */
  announced(): Promise<boolean>;
  /**
   * Requests of the kernel so far, by kind: `lookup`, `read` … `libfuse` hides some of them, and
   * asks for attributes (`getattr`) where the kernel looks up.
   */
  requests(): Readonly<Record<string, number>>;
  /**
   * Unmount; when readers keep it busy, detach it (they keep what they have open).
   * @throws MountError
   */
  unmount(): Promise<void>;
}

/** A mount that could not be made or ended; the message says what to do. */
export class MountError extends Error {
  override readonly name = 'MountError';
}
