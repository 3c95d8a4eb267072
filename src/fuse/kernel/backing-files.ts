import type { Log } from '../../observe/log.js';
import type { InodeNumber } from '../../tree/file-system.js';
import { codeOf } from './device.js';
import { backingClose, backingOpen } from './system-calls.js';

/** The two calls that hand files to the kernel; both throw errno errors. */
export interface BackingCalls {
  /** @returns an id for the answer to OPEN */
  open(fd: number): number;
  close(id: number): void;
}

/** The calls on an open /dev/fuse. */
export function backingCalls(deviceFd: number): BackingCalls {
  return {
    open: (fd) => backingOpen(deviceFd, fd),
    close: (id) => backingClose(deviceFd, id),
  };
}

/** What these errors mean will be so for every other file of this session too. */
const HOPELESS: ReadonlySet<string> = new Set(['EPERM', 'ENOTTY', 'ENOSYS', 'EOPNOTSUPP']);

const REASONS: Readonly<Record<string, string>> = {
  EPERM: 'only root may hand files to the kernel, and only to one that can take them',
  ELOOP: 'the cache directory is on a stacked file system such as overlayfs; put it on a plain one',
};

interface Mode {
  /** Files of the inode that the kernel has open. */
  opens: number;
  /** Undefined when we serve the reads of all of them. */
  readonly id: number | undefined;
}

/**
 * Which inodes the kernel reads by itself, from a file that we have handed to it (passthrough).
 *
 * All files of one inode that are open at the same time must be read in the same way, and through
 * the same id, else open(2) fails with EIO (fs/fuse/iomode.c); so the first one decides. The kernel
 * looks an id up after it has taken the answer to OPEN, so ids live until the last file is closed.
 */
export class BackingFiles {
  readonly #calls: BackingCalls;
  readonly #log: Log;
  readonly #modes = new Map<InodeNumber, Mode>();
  readonly #told = new Set<string>();
  #usable = false;

  constructor(calls: BackingCalls, log: Log) {
    this.#calls = calls;
    this.#log = log;
  }

  /** The kernel has agreed to take files. */
  allow(): void {
    this.#usable = true;
  }

  /** Inodes that the kernel reads by itself now. */
  get size(): number {
    return [...this.#modes.values()].filter(({ id }) => id !== undefined).length;
  }

  /**
   * An OPEN is about to be answered. To be undone by {@link leave}.
   * @param fd of a file with the same bytes, if there is one
   * @returns the id for the answer; undefined if we serve the reads
   */
  enter(ino: InodeNumber, fd: number | undefined): number | undefined {
    let mode = this.#modes.get(ino);
    if (mode === undefined) {
      mode = { opens: 0, id: fd === undefined ? undefined : this.#register(fd) };
      this.#modes.set(ino, mode);
    }
    mode.opens += 1;
    return mode.id;
  }

  /** The file is closed. */
  leave(ino: InodeNumber): void {
    const mode = this.#modes.get(ino);
    if (mode === undefined) return;
    mode.opens -= 1;
    if (mode.opens > 0) return;
    this.#modes.delete(ino);
    if (mode.id === undefined) return;
    try {
      this.#calls.close(mode.id);
    } catch (error) {
      // With the session all its ids end.
      this.#log.debug({ error }, 'The kernel did not give a file back.');
    }
  }

  #register(fd: number): number | undefined {
    if (!this.#usable) return undefined;
    try {
      return this.#calls.open(fd);
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      if (HOPELESS.has(code) || codeOf(error) === undefined) this.#usable = false;
      if (!this.#told.has(code)) {
        this.#told.add(code);
        const reason = REASONS[code] ?? (error instanceof Error ? error.message : code);
        this.#log.info({ code }, `Cached blobs are read through the daemon: ${reason}.`);
      }
      return undefined;
    }
  }
}
