import { LRUCache } from 'lru-cache';

import type { Log } from '../../observe/log.js';
import type { DirectoryEntry, FileSystem, InodeNumber } from '../../tree/file-system.js';
import { encodeNames, type KnownNames, sharedNow } from './known-names.js';
import type { Owner } from './replies.js';

/** Lookups in one directory that the main thread answers before it publishes the names there. */
const LOOKUPS_BEFORE = 8;

/** Entries published at once, in all directories: about 25 MB. */
const MAX_ENTRIES = 100_000;

/** For how long a thread may still tell of an entry that was withdrawn, in ms: far too long. */
const RETIRED_FOR = 60_000;

interface Published {
  /** See `FileSystem.inHand`. */
  readonly version: unknown;
  readonly known: KnownNames;
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
  /** What threads may tell of, by the id of the names. */
  readonly #entries = new Map<number, { parent: number; entries: readonly DirectoryEntry[] }>();
  readonly #retiring = new Set<NodeJS.Timeout>();
  #lastId = 0;

  constructor(fileSystem: FileSystem, options: NamePublisherOptions) {
    this.#fileSystem = fileSystem;
    this.#options = options;
    this.#published = new LRUCache({
      maxSize: MAX_ENTRIES,
      sizeCalculation: ({ known }) => known.offsets.length,
      dispose: ({ known }, parent) => this.#retire(known.id, parent),
    });
  }

  /** The main thread has answered a lookup in this directory. */
  lookedUp(parent: InodeNumber): void {
    const count = (this.#lookups.get(parent) ?? 0) + 1;
    this.#lookups.set(parent, count);
    if (count < LOOKUPS_BEFORE || this.#publishing.has(parent)) return;
    const inHand = this.#fileSystem.inHand(parent);
    if (inHand === undefined) return;
    const published = this.#published.get(parent);
    if (published !== undefined && published.version === inHand.version) {
      // A name that is not there, or one whose time was over.
      published.known.validUntil[0] = sharedNow() + inHand.freshFor;
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
  }

  /** Have the threads ask again in every directory. */
  expireAll(): void {
    for (const { known } of this.#published.values()) known.validUntil[0] = 0;
  }

  close(): void {
    this.#published.clear();
    for (const timer of this.#retiring) clearTimeout(timer);
    this.#entries.clear();
  }

  async #publish(parent: InodeNumber): Promise<void> {
    const before = this.#fileSystem.inHand(parent);
    const entries = await this.#fileSystem.readdir(parent);
    const inHand = this.#fileSystem.inHand(parent);
    if (inHand === undefined || inHand.version !== before?.version) return;
    if (entries.length >= MAX_ENTRIES) return;
    const { owner, publish } = this.#options;
    const known = encodeNames(++this.#lastId, parent, entries, inHand.timeouts, owner);
    known.validUntil[0] = sharedNow() + inHand.freshFor;
    this.#entries.set(known.id, { parent, entries });
    this.#published.set(parent, { version: inHand.version, known });
    publish(known);
    this.#lookups.delete(parent);
  }

  #retire(id: number, parent: InodeNumber): void {
    this.#options.withdraw(parent);
    const timer = setTimeout(() => {
      this.#retiring.delete(timer);
      this.#entries.delete(id);
    }, RETIRED_FOR);
    timer.unref();
    this.#retiring.add(timer);
  }
}
