import { LRUCache } from 'lru-cache';

import {
  type DirectoryEntry,
  ErrnoError,
  type FileSystem,
  type InodeNumber,
} from '../../tree/file-system.js';
import type { KernelInodes } from './kernel-inodes.js';

/** One listing of a directory, as one or more handles see it from their first READDIR on. */
export interface Listing {
  /** Without `.` and `..`. */
  readonly entries: readonly DirectoryEntry[];
  /**
   * What the positions of this listing begin with: no two listings in use share a position, so that
   * the kernel cannot continue one with the other in what it keeps of a directory.
   */
  readonly serial: number;
}

interface DirectoryHandle {
  readonly ino: InodeNumber;
  listing: Promise<Listing> | undefined;
}

/** The newest listing of a directory: what the kernel keeps, if it keeps any. */
interface LastListing {
  readonly listing: Promise<Listing>;
  /** When it was last known to be true, in ms, as `performance.now()`. */
  checkedAt: number;
}

/** What OPENDIR answers. */
export interface OpenedDirectory {
  readonly handle: number;
  /** Whether the listing that the kernel has kept is the one to show. */
  readonly keepListing: boolean;
}

/** Listings remembered of directories that nobody has open, to tell whether they changed. */
const REMEMBERED = 64;

/** Positions per listing: as many entries as one directory can have. */
const POSITIONS = 2 ** 32;

/** Listings that can be told apart by their positions, which have 53 bits. */
const SERIALS = 2 ** 20;

/** The open directories of one mount. */
export class DirectoryHandles {
  readonly #fileSystem: FileSystem;
  readonly #inodes: KernelInodes;
  readonly #handles = new Map<number, DirectoryHandle>();
  readonly #last = new LRUCache<InodeNumber, LastListing>({ max: REMEMBERED });
  #lastHandle = 0;
  #lastSerial = 0;

  constructor(fileSystem: FileSystem, inodes: KernelInodes) {
    this.#fileSystem = fileSystem;
    this.#inodes = inodes;
  }

  /**
   * Open a directory. One that was listed before is listed again here, unless that is no longer ago
   * than its attributes may be remembered; the kernel keeps its copy if nothing has changed.
   * @throws ErrnoError
   */
  async open(ino: InodeNumber): Promise<OpenedDirectory> {
    const last = this.#last.get(ino);
    const keepListing = last !== undefined && (await this.#isCurrent(ino, last));
    const handle = ++this.#lastHandle;
    this.#handles.set(handle, { ino, listing: undefined });
    return { handle, keepListing };
  }

  /**
   * The directory behind a handle and the listing that it shows. At position 0 that is the newest
   * one, for what is read from there on may become the kernel's copy.
   * @throws ErrnoError
   */
  async listing(handle: number, position: number): Promise<{ ino: InodeNumber; listing: Listing }> {
    const directory = this.#handles.get(handle);
    if (directory === undefined) {
      throw new ErrnoError('EBADF', `There is no open directory ${handle}.`);
    }
    const { ino } = directory;
    if (position === 0 || directory.listing === undefined) {
      const last = this.#last.get(ino) ?? this.#remember(ino, this.#fileSystem.readdir(ino));
      directory.listing = last.listing;
    }
    return { ino, listing: await directory.listing };
  }

  release(handle: number): void {
    this.#handles.delete(handle);
  }

  /** The kernel has forgotten this directory, and with it what it kept of it. */
  forget(ino: InodeNumber): void {
    this.#last.delete(ino);
  }

  /** Compare a listing with what is there at its next use. */
  expire(ino: InodeNumber): void {
    const last = this.#last.peek(ino);
    if (last !== undefined) last.checkedAt = -Infinity;
  }

  /** Compare every listing with what is there at its next use. */
  expireAll(): void {
    for (const last of this.#last.values()) last.checkedAt = -Infinity;
  }

  releaseAll(): void {
    this.#handles.clear();
    this.#last.clear();
  }

  /** Whether a listing still shows what is there; if not, another one takes its place. */
  async #isCurrent(ino: InodeNumber, last: LastListing): Promise<boolean> {
    if (performance.now() - last.checkedAt < this.#inodes.attributeTimeout(ino)) return true;
    const checkedAt = performance.now();
    const entries = await this.#fileSystem.readdir(ino);
    const { entries: before } = await last.listing;
    if (this.#last.get(ino) !== last) return false;
    if (isSame(entries, before)) {
      last.checkedAt = checkedAt;
      return true;
    }
    this.#remember(ino, Promise.resolve(entries));
    return false;
  }

  #remember(ino: InodeNumber, entries: Promise<readonly DirectoryEntry[]>): LastListing {
    this.#lastSerial = (this.#lastSerial + 1) % SERIALS;
    const serial = this.#lastSerial;
    const listing = entries.then((found) => ({ entries: found, serial }));
    const last = { listing, checkedAt: performance.now() };
    this.#last.set(ino, last);
    // The next reader may have more luck; this one is told by the promise itself.
    listing.catch(() => {
      if (this.#last.get(ino) === last) this.#last.delete(ino);
    });
    return last;
  }
}

/** The position after the first `count` entries of a listing; 0 is before all of them. */
export function positionAfter(listing: Listing, count: number): number {
  return listing.serial * POSITIONS + count;
}

/** How many entries lie before a position. */
export function countBefore(position: number): number {
  return position % POSITIONS;
}

function isSame(one: readonly DirectoryEntry[], other: readonly DirectoryEntry[]): boolean {
  return (
    one.length === other.length &&
    one.every((entry, index) => {
      const twin = other[index];
      return entry.name === twin?.name && entry.attributes.ino === twin.attributes.ino;
    })
  );
}
