import { LRUCache } from 'lru-cache';

import {
  type DirectoryEntry,
  ErrnoError,
  type FileSystem,
  type InodeNumber,
} from '../../tree/file-system.js';
import type { KernelInodes } from './kernel-inodes.js';

/** One listing of a directory, as all see it who begin to read while it is the newest. */
export interface Listing {
  /** Without `.` and `..`. */
  readonly entries: readonly DirectoryEntry[];
  /**
   * What the positions of this listing begin with: no two listings in use share a position, so that
   * nobody continues one with the other, not the kernel either in what it keeps of a directory.
   */
  readonly serial: number;
}

/** The newest listing of a directory. */
interface LastListing {
  readonly listing: Promise<Listing>;
  readonly serial: number;
  /** When it was last known to be true, in ms, as `performance.now()`. */
  checkedAt: number;
}

/** Newest listings remembered, to tell whether they changed. */
const REMEMBERED = 64;

/**
 * Entries of listings that are the newest no longer, and for how long they are kept for who has read
 * a part of one, in ms. Nobody says when a directory is closed.
 */
const MAX_REPLACED_ENTRIES = 200_000;
const REPLACED_MS = 10 * 60 * 1000;

/** Positions per listing: as many entries as one directory can have. */
const POSITIONS = 2 ** 32;

/** Listings that can be told apart by their positions, which have 53 bits. */
const SERIALS = 2 ** 20;

/** The listings that readers of directories are given. */
export class Listings {
  readonly #fileSystem: FileSystem;
  readonly #inodes: KernelInodes;
  readonly #last: LRUCache<InodeNumber, LastListing>;
  /** By their serials. */
  readonly #replaced = new LRUCache<number, Listing>({
    maxSize: MAX_REPLACED_ENTRIES,
    sizeCalculation: ({ entries }) => entries.length + 1,
    ttl: REPLACED_MS,
  });
  #lastSerial = 0;

  constructor(fileSystem: FileSystem, inodes: KernelInodes) {
    this.#fileSystem = fileSystem;
    this.#inodes = inodes;
    this.#last = new LRUCache({
      max: REMEMBERED,
      dispose: ({ listing }) => {
        // One that failed leaves nothing.
        listing.then(
          (known) => this.#replaced.set(known.serial, known),
          () => undefined,
        );
      },
    });
  }

  /**
   * The listing to read from a position on. At position 0 that is the newest one: it is compared
   * with what is there, unless that is no longer ago than the directory's attributes may be
   * remembered.
   * @throws ErrnoError
   */
  async at(ino: InodeNumber, position: number): Promise<Listing> {
    if (position === 0) {
      await this.isCurrent(ino);
      const last = this.#last.get(ino) ?? this.#remember(ino, this.#fileSystem.readdir(ino));
      return last.listing;
    }
    const serial = Math.floor(position / POSITIONS);
    const last = this.#last.get(ino);
    if (last?.serial === serial) return last.listing;
    const replaced = this.#replaced.get(serial);
    if (replaced !== undefined) return replaced;
    throw new ErrnoError(
      'EIO',
      'The directory has changed since its listing was begun, too long ago to go on.',
    );
  }

  /**
   * Whether the newest listing still shows what is there; if not, another one takes its place.
   * @throws ErrnoError
   */
  async isCurrent(ino: InodeNumber): Promise<boolean> {
    const last = this.#last.get(ino);
    if (last === undefined) return false;
    if (this.freshFor(ino) > 0) return true;
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

  /** For how long the newest listing is taken to be true without asking, in ms; 0 if it is not. */
  freshFor(ino: InodeNumber): number {
    const last = this.#last.peek(ino);
    if (last === undefined) return 0;
    const age = performance.now() - last.checkedAt;
    return Math.max(0, this.#inodes.attributeTimeout(ino) - age);
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
    this.#last.clear();
    this.#replaced.clear();
  }

  #remember(ino: InodeNumber, entries: Promise<readonly DirectoryEntry[]>): LastListing {
    this.#lastSerial = (this.#lastSerial % (SERIALS - 1)) + 1;
    const serial = this.#lastSerial;
    const listing = entries.then((found) => ({ entries: found, serial }));
    const last = { listing, serial, checkedAt: performance.now() };
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
