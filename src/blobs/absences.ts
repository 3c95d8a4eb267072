import { LRUCache } from 'lru-cache';
import type { Counters } from '../observe/counters.js';
import { blobLost } from '../observe/events.js';
import type { Log } from '../observe/log.js';
import type { BlobName } from './finder.js';

/** How long a directory leaves out what was found absent, in ms. */
const LISTED_AGAIN_AFTER = 600_000;

const MAX_REMEMBERED = 100_000;

interface Absence {
  readonly name: BlobName;
  readonly foundAt: number;
  readonly foreign: boolean;
}

/**
 * Blobs that a repository's documents name and no stored object has. Asking again within the
 * refresh interval costs no request; directories leave them out once they are known; `status` and
 * the log name them.
 */
export class Absences {
  readonly #absences = new LRUCache<string, Absence>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: MAX_REMEMBERED,
    sizeCalculation: () => 1,
    ttl: LISTED_AGAIN_AFTER,
  });
  readonly #refreshMs: number;
  readonly #log: Log;
  readonly #counters: Counters;

  constructor(options: { refreshMs: number; log: Log; counters: Counters }) {
    this.#refreshMs = options.refreshMs;
    this.#log = options.log;
    this.#counters = options.counters;
  }

  /** Record that nothing stored has the bytes. A foreign layer may rightly be absent. */
  add(name: BlobName, foreign: boolean, reason: string): void {
    const known = this.#absences.has(key(name));
    this.#absences.set(key(name), { name, foreign, foundAt: Date.now() });
    if (known || foreign) return;
    this.#counters.increment('blobs.unresolved');
    this.#log.warn(
      { ...name },
      `A referenced blob is lost: ${reason} Its readers get "No such file or directory".`,
    );
    blobLost.publish({ ...name });
  }

  /** The blob was found after all. */
  remove(name: BlobName): void {
    this.#absences.delete(key(name));
  }

  /** Whether the blob was found absent so recently that asking again is not worth a request. */
  isFresh(name: BlobName): boolean {
    const absence = this.#absences.get(key(name));
    return absence !== undefined && Date.now() - absence.foundAt < this.#refreshMs;
  }

  /** Whether a listing should leave the blob out. */
  isKnown(name: BlobName): boolean {
    // Most repositories are whole, and a listing asks for each of its blobs.
    return this.#absences.size > 0 && this.#absences.has(key(name));
  }

  /** Lost blobs by repository, foreign layers not counted. */
  list(): BlobName[] {
    return [...this.#absences.values()].filter((a) => !a.foreign).map((a) => a.name);
  }
}

function key(name: BlobName): string {
  return `${name.repository}\0${name.digest}\0${name.size}`;
}
