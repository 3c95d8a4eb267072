import { LRUCache } from 'lru-cache';

import type { Log } from '../../observe/log.js';
import type { DirectoryEntry, FileSystem, InodeNumber } from '../../tree/file-system.js';
import { encodeNames, type KnownNames, sharedNow } from './known-names.js';
import type { Owner } from './replies.js';

/** Lookups in one directory that the main thread answers before it publishes the names there. */
const LOOKUPS_BEFORE = 8;

/** Entries published at once, in all directories: about 25 MB. */
const MAX_ENTRIES = 100_000;

/**
 * For how long a thread may still tell of an entry that was withdrawn: far too long. Counted in
 * seconds of this thread's own, so that a process that is stopped for a while counts none of them.
 */
const RETIRED_SECONDS = 5;

interface Published {
  /** See `FileSystem.inHand`. */
  readonly version: unknown;
  readonly known: KnownNames;
}

/** Withdrawn names that threads may still tell of, and that may be published once more. */
interface Retired extends Published {
  readonly timer: NodeJS.Timeout;
}

interface Told {
  readonly parent: InodeNumber;
  readonly entry: DirectoryEntry;
}

export interface NamePublisherOptions {
  readonly owner: Owner;
  readonly log: Log;
  readonly publish: (names: KnownNames) => void;
  readonly withdraw: (parent: InodeNumber) => void;
  /** Take note now of all that threads have told the kernel of. */
  readonly settleTold: () => void;
}

/**
 * Gives the serving threads the names of directories in which lookups come thick and fast, as far as
 * the tree knows them without asking anybody.
 */
export class NamePublisher {
  readonly #fileSystem: FileSystem;
  readonly #options: NamePublisherOptions;
  readonly #lookups = new LRUCache<InodeNumber, number>({ max: 1000 });
  readonly #published: LRUCache<InodeNumber, Published>;
  readonly #publishing = new Set<InodeNumber>();
  /** Directories with too many names, and in which version: to list them again would be for nothing. */
  readonly #tooLarge = new LRUCache<InodeNumber, Pick<Published, 'version'>>({ max: 1000 });
  /** What threads may tell of, by the id of the names. */
  readonly #entries = new Map<number, { parent: number; entries: readonly DirectoryEntry[] }>();
  /** By the id of the names. */
  readonly #retired = new Map<number, Retired>();
  #lastId = 0;

  constructor(fileSystem: FileSystem, options: NamePublisherOptions) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    this.#published = new LRUCache({
      maxSize: MAX_ENTRIES,
      sizeCalculation: ({ known }) => known.offsets.length,
      dispose: (published) => this.#retire(published),
    });
  }

  /** The main thread has answered a lookup in this directory. */
  lookedUp(parent: InodeNumber): void {
    const count = (this.#lookups.get(parent) ?? 0) + 1;
    this.#lookups.set(parent, count);
    if (count < LOOKUPS_BEFORE || this.#publishing.has(parent)) return;
    const inHand = this.#fileSystem.inHand(parent);
    if (inHand === undefined) return;
    const tooLarge = this.#tooLarge.get(parent);
    if (tooLarge !== undefined && tooLarge.version === inHand.version) return;
    const published = this.#published.get(parent);
    if (published !== undefined && published.version === inHand.version) {
      // A name that is not there, or one whose time was over.
      published.known.validUntil[0] = sharedNow() + inHand.freshFor;
      return;
    }
    const retired = this.#retiredOf(parent, inHand.version);
    if (retired !== undefined) {
      this.#retired.delete(retired.known.id);
      clearInterval(retired.timer);
      this.#publishAs(retired, inHand.freshFor);
      return;
    }
    this.#publishing.add(parent);
    this.#publish(parent)
      .catch((error: unknown) => {
        this.#options.log.debug({ error, parent }, 'The names of a directory are not published.');
      })
      .finally(() => this.#publishing.delete(parent));
  }

  /** What an entry of published names stands for. */
  entry(id: number, index: number): Told | undefined {
    const names = this.#entries.get(id);
    const entry = names?.entries[index];
    return names && entry && { parent: names.parent, entry };
  }

  /** The kernel has forgotten this directory. */
  forget(parent: InodeNumber): void {
    this.#published.delete(parent);
    this.#tooLarge.delete(parent);
  }

  /** Have the threads ask again in one directory. */
  expire(parent: InodeNumber): void {
    const published = this.#published.peek(parent);
    if (published !== undefined) published.known.validUntil[0] = 0;
  }

  /** Have the threads ask again in every directory. */
  expireAll(): void {
    for (const { known } of this.#published.values()) known.validUntil[0] = 0;
  }

  close(): void {
    this.#published.clear();
    for (const { timer } of this.#retired.values()) clearInterval(timer);
    this.#retired.clear();
    this.#entries.clear();
  }

  async #publish(parent: InodeNumber): Promise<void> {
    const before = this.#fileSystem.inHand(parent);
    const entries = await this.#fileSystem.readdir(parent);
    const inHand = this.#fileSystem.inHand(parent);
    if (inHand === undefined || inHand.version !== before?.version) return;
    if (entries.length >= MAX_ENTRIES) {
      this.#tooLarge.set(parent, { version: inHand.version });
      return;
    }
    const { owner } = this.#options;
    const known = encodeNames(++this.#lastId, parent, entries, inHand.timeouts, owner);
    this.#entries.set(known.id, { parent, entries });
    this.#publishAs({ version: inHand.version, known }, inHand.freshFor);
  }

  #publishAs({ version, known }: Published, freshFor: number): void {
    known.validUntil[0] = sharedNow() + freshFor;
    this.#published.set(known.parent, { version, known });
    this.#options.publish(known);
    this.#lookups.delete(known.parent);
  }

  /** Names that were withdrawn a moment ago and are still true. */
  #retiredOf(parent: InodeNumber, version: unknown): Retired | undefined {
    for (const retired of this.#retired.values()) {
      if (retired.known.parent === parent && retired.version === version) return retired;
    }
    return undefined;
  }

  #retire({ version, known }: Published): void {
    this.#options.withdraw(known.parent);
    let seconds = RETIRED_SECONDS;
    const timer = setInterval(() => {
      seconds -= 1;
      if (seconds > 0) return;
      clearInterval(timer);
      // What they have told of it since anybody looked, and that may be long ago.
      this.#options.settleTold();
      this.#retired.delete(known.id);
      this.#entries.delete(known.id);
    }, 1000);
    timer.unref();
    this.#retired.set(known.id, { version, known, timer });
  }
}
