import type { Log } from '../../observe/log.js';
import { ErrnoError, type InodeNumber } from '../../tree/file-system.js';
import { type BackingWatch, watchBacking } from './backing-watch.js';
import { codeOf } from './device.js';
import { backingClose, backingOpen, loadSystemCalls } from './system-calls.js';

/** The two calls that hand files to the kernel; both throw errno errors. */
export interface BackingCalls {
  /** Load what the other calls need, which takes 30 ms from a disk whose pages are not in memory. */
  prepare(): void;
  /** @returns an id for the answer to OPEN */
  open(fd: number): number;
  close(id: number): void;
  /** See {@link watchBacking}. */
  watch(fd: number): BackingWatch;
}

/** The calls on an open /dev/fuse. */
export function backingCalls(deviceFd: number): BackingCalls {
  return {
    prepare: () => loadSystemCalls(),
    open: (fd) => backingOpen(deviceFd, fd),
    close: (id) => backingClose(deviceFd, id),
    watch: watchBacking,
  };
}

/** What these errors mean will be so for every other file of this session too. */
const HOPELESS: ReadonlySet<string> = new Set(['EPERM', 'ENOTTY', 'ENOSYS', 'EOPNOTSUPP']);

const REASONS: Readonly<Record<string, string>> = {
  EPERM: 'only root may hand files to the kernel, and only to one that can take them',
  ELOOP: 'the cache directory is on a stacked file system such as overlayfs; put it on a plain one',
};

/**
 * How long after the beginning of a session it is prepared for the first file, in ms: whoever waited
 * for the mount has been served its first lookups then, and waits for the store.
 */
const PREPARE_AFTER_MS = 15;

/** A file that the kernel was handed. */
interface Backing {
  readonly id: number;
  readonly watch: BackingWatch;
  /** It was said that somebody has changed it. */
  isBad: boolean;
}

interface Mode {
  /** Files of the inode that the kernel has open. */
  opens: number;
  /** Undefined when we serve the reads of all of them. */
  readonly backing: Backing | undefined;
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
  readonly #early: boolean;
  #usable = false;
  #works: boolean | undefined;

  /** @param early be ready for the first file before it comes */
  constructor(calls: BackingCalls, log: Log, early = false) {
    this.#calls = calls;
    this.#log = log;
    this.#early = early;
  }

  /** The kernel has agreed to take files. */
  allow(): void {
    this.#usable = true;
    if (this.#early) setTimeout(() => this.#prepare(), PREPARE_AFTER_MS).unref();
  }

  /** Whether the kernel took the last file that it was handed; undefined before the first one. */
  get works(): boolean | undefined {
    return this.#usable ? this.#works : false;
  }

  /** Whether somebody has the inode open, and we serve the reads. */
  isServed(ino: InodeNumber): boolean {
    const mode = this.#modes.get(ino);
    return mode !== undefined && mode.backing === undefined;
  }

  /** Inodes that the kernel reads by itself now. */
  get size(): number {
    return [...this.#modes.values()].filter(({ backing }) => backing !== undefined).length;
  }

  /**
   * An OPEN is about to be answered. To be undone by {@link leave}.
   * @param fd of a file with the same bytes, if there is one
   * @returns the id for the answer; undefined if we serve the reads
   * @throws ErrnoError `EIO` when the kernel reads a file whose bytes are no longer those that were
   *   verified, for others who have it open: then nothing is to be undone
   */
  enter(ino: InodeNumber, fd: number | undefined): number | undefined {
    let mode = this.#modes.get(ino);
    if (mode === undefined) {
      mode = { opens: 0, backing: fd === undefined ? undefined : this.#register(fd) };
      this.#modes.set(ino, mode);
    } else if (!this.isSound(ino)) {
      throw new ErrnoError(
        'EIO',
        'The file in the cache was changed while the kernel has it open; it is read anew when all who have it open have closed it.',
      );
    }
    mode.opens += 1;
    return mode.backing?.id;
  }

  /** Whether the kernel, if it reads this inode by itself, does so from a file that nobody changed. */
  isSound(ino: InodeNumber): boolean {
    const backing = this.#modes.get(ino)?.backing;
    if (backing === undefined || backing.watch.isUnchanged()) return true;
    if (!backing.isBad) {
      backing.isBad = true;
      this.#log.warn(
        { ino },
        'A file in the cache directory was changed while the kernel read it for somebody: opens of that blob fail until it is closed. Nobody but layoutfs may write there.',
      );
    }
    return false;
  }

  /** The file is closed. */
  leave(ino: InodeNumber): void {
    const mode = this.#modes.get(ino);
    if (mode === undefined) return;
    mode.opens -= 1;
    if (mode.opens > 0) return;
    this.#modes.delete(ino);
    if (mode.backing !== undefined) this.#unregister(mode.backing);
  }

  #prepare(): void {
    try {
      this.#calls.prepare();
    } catch {
      // Who hands the first file over learns why.
    }
  }

  #unregister({ id, watch }: Backing): void {
    watch.close();
    try {
      this.#calls.close(id);
    } catch (error) {
      // With the session all its ids end.
      this.#log.debug({ error }, 'The kernel did not give a file back.');
    }
  }

  #register(fd: number): Backing | undefined {
    if (!this.#usable) return undefined;
    let watch: BackingWatch | undefined;
    try {
      watch = this.#calls.watch(fd);
      const id = this.#calls.open(fd);
      this.#works = true;
      return { id, watch, isBad: false };
    } catch (error) {
      this.#works = false;
      watch?.close();
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
