import { LRUCache } from 'lru-cache';
import type { Counters, CounterName } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import type { Digest } from '../oci/digest.js';
import type { BlobLocation, Registry } from '../registry/registry.js';
import { isUploadSession } from '../registry/upload-session.js';
import { isStoreError } from '../store/errors.js';
import type { GetResult } from '../store/object-store.js';
import { BlobError } from './errors.js';
import type { ByteRange } from './grid.js';

/** A blob as a repository's documents name it. */
export interface BlobName {
  readonly repository: string;
  readonly digest: Digest;
  /** Claimed size in bytes; only objects of exactly this size are taken. */
  readonly size: number;
}

/** An object that was seen to exist with the right size. */
export interface FoundObject {
  readonly location: BlobLocation;
  readonly size: number;
  readonly etag?: string;
}

/** Why one candidate was passed over. */
type Refusal = 'absent' | 'placeholder' | 'cut-short' | 'wrong-size' | 'denied';

/** Refusals after which the bytes may well be in a place that only a flat listing names. */
const LISTED_AFTER: readonly Refusal[] = ['placeholder', 'cut-short'];

/** Flat listings behind one search; the second one only where copies of the first have gone. */
const MAX_LISTINGS = 2;

const SOURCE_COUNTERS: Record<BlobLocation['source'], CounterName> = {
  repository: 'blobs.fromRepository',
  shared: 'blobs.fromShared',
  other: 'blobs.fromOther',
};

const MAX_REMEMBERED = 100_000;

/** How many copies named by a flat listing are tried before giving up. */
const MAX_LOCATED = 8;

/**
 * Finds the object that holds a blob's bytes: the registry's candidates in order of recent success,
 * then, only where a placeholder was met, what a flat listing of the store shows. What was found is
 * remembered by key, so that another repository of the same pool costs no request.
 */
export class BlobFinder {
  readonly #registry: Registry;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #present = new LRUCache<string, FoundObject>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: MAX_REMEMBERED,
    sizeCalculation: () => 1,
  });
  /** Objects whose bytes were wrong once: tried last. */
  readonly #bad = new LRUCache<string, true>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: 10_000,
    sizeCalculation: () => 1,
    ttl: 600_000,
  });

  constructor(options: { registry: Registry; log: Log; counters: Counters }) {
    this.#registry = options.registry;
    this.#log = options.log;
    this.#counters = options.counters;
  }

  /** The object of a blob when it was found before; no request. */
  known(name: BlobName): FoundObject | undefined {
    for (const location of this.#locations(name)) {
      const found = this.#present.get(id(location));
      if (found?.size === name.size) return found;
    }
    return undefined;
  }

  /**
   * Send the ranged GET to one candidate after the other until one answers with an object of the
   * right size; that answer is returned with its body still to be read. With `mayHaveMoved` the
   * bytes were there a moment ago, and registries move them to other repositories.
   * @throws BlobError `absent`, `wrong-size` or `unavailable`
   */
  async find(
    name: BlobName,
    range: ByteRange,
    { signal, mayHaveMoved = false }: { signal?: AbortSignal; mayHaveMoved?: boolean } = {},
  ): Promise<{ found: FoundObject; answer: GetResult }> {
    const refusals = new Set<Refusal>();
    const tried = new Set<string>();
    const attempt = async (locations: readonly BlobLocation[]) => {
      for (const location of locations) {
        if (tried.has(id(location))) continue;
        tried.add(id(location));
        const answer = await this.#try(location, name, range, signal);
        if (typeof answer !== 'string') return this.#take(location, answer);
        refusals.add(answer);
        if (location.size === name.size && answer !== 'denied') this.#registry.failed(location);
      }
      return undefined;
    };
    try {
      const direct = await attempt(this.#locations(name));
      if (direct) return direct;
      const isListed = mayHaveMoved || LISTED_AFTER.some((refusal) => refusals.has(refusal));
      for (let listing = 0; isListed && listing < MAX_LISTINGS; listing++) {
        const located = await this.#registry.locate(name.repository, name, signal);
        if (located.every((location) => tried.has(id(location)))) break;
        const resolved = await attempt(located.slice(0, MAX_LOCATED));
        if (resolved) return resolved;
      }
    } catch (cause) {
      if (!isStoreError(cause)) throw cause;
      throw new BlobError('unavailable', cause.message, { cause });
    }
    throw this.#notFound(name, refusals);
  }

  /** The object is no longer what it was: ask the candidates again next time. */
  forget(found: FoundObject): void {
    this.#present.delete(id(found.location));
  }

  /**
   * The object's bytes are wrong: forget it, and prefer any other copy from now on. Answers whether
   * it is worth trying again: this object was not distrusted before, and others may exist.
   */
  distrust(name: BlobName, found: FoundObject): boolean {
    const known = this.#bad.has(id(found.location));
    this.forget(found);
    this.#bad.set(id(found.location), true);
    return !known && this.#locations(name).some((location) => !this.#bad.has(id(location)));
  }

  /**
   * The length of the stored content when descriptors disagree about it: that of the first
   * candidate that is no placeholder, else of what a placeholder stands for. Undefined: there is none.
   * @throws BlobError `unavailable`
   */
  async storedSize(name: Omit<BlobName, 'size'>): Promise<number | undefined> {
    try {
      const anySize = { ...name, size: -1 };
      let isPlaceholder = false;
      for (const location of this.#locations(anySize)) {
        const size = await sizeOf(location);
        if (size !== undefined && size > 0) return size;
        isPlaceholder ||= size === 0;
      }
      if (!isPlaceholder) return undefined;
      const [copy] = await this.#registry.locate(name.repository, anySize);
      return copy?.size;
    } catch (cause) {
      if (!isStoreError(cause)) throw cause;
      throw new BlobError('unavailable', cause.message, { cause });
    }
  }

  /** Every place that costs no listing to name, wrong ones last. */
  #locations(name: BlobName): BlobLocation[] {
    const located = this.#registry.located(name.repository, name) ?? [];
    const all = [
      ...this.#registry.candidates(name.repository, name.digest),
      ...located.slice(0, MAX_LOCATED),
    ];
    const good = all.filter((location) => !this.#bad.has(id(location)));
    return [...good, ...all.filter((location) => this.#bad.has(id(location)))];
  }

  async #try(
    location: BlobLocation,
    name: BlobName,
    range: ByteRange,
    signal?: AbortSignal,
  ): Promise<GetResult | Refusal> {
    try {
      const answer = await location.store.get(location.key, {
        range: { offset: range.offset, length: Math.max(1, range.length) },
        ...(signal && { signal }),
      });
      if (answer.info.size === name.size && !isUploadSession(answer.info)) return answer;
      answer.cancel();
      if (isUploadSession(answer.info)) return 'absent';
      return answer.info.size === 0 ? this.#placeholder() : this.#wrongSize(location, name, answer);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return 'absent';
      if (isStoreError(error, 'AccessDenied')) return 'denied';
      if (isStoreError(error, 'RangeNotSatisfiable')) {
        // Only an object without bytes refuses a range that begins at 0; further on it is shorter.
        return range.offset === 0 ? this.#placeholder() : 'cut-short';
      }
      throw error;
    }
  }

  #placeholder(): Refusal {
    this.#counters.increment('blobs.placeholder');
    return 'placeholder';
  }

  #wrongSize(location: BlobLocation, name: BlobName, answer: GetResult): Refusal {
    this.#counters.increment('blobs.wrongSize');
    this.#log.warn(
      { key: location.key, digest: name.digest, expected: name.size, stored: answer.info.size },
      'A stored object has another size than its descriptor claims; it is not served.',
    );
    return 'wrong-size';
  }

  #take(
    location: BlobLocation,
    answer: GetResult,
  ): {
    found: FoundObject;
    answer: GetResult;
  } {
    const { size, etag } = answer.info;
    const found = { location, size, ...(etag !== undefined && { etag }) };
    this.#present.set(id(location), found);
    this.#registry.succeeded(location);
    this.#counters.increment(SOURCE_COUNTERS[location.source]);
    return { found, answer };
  }

  #notFound(name: BlobName, refusals: ReadonlySet<Refusal>): BlobError {
    const what = `${name.digest} of ${name.repository || '/'}`;
    if (refusals.has('wrong-size') || refusals.has('cut-short')) {
      return new BlobError('wrong-size', `No stored object of ${what} has ${name.size} bytes.`);
    }
    // Without ListBucket permission S3 says 403 for every absent key, so nothing can be told.
    if (refusals.has('denied') && this.#registry.listable) {
      return new BlobError('unavailable', `The store denies access to ${what}.`);
    }
    if (refusals.has('placeholder')) {
      return new BlobError('absent', `Only placeholders are stored for ${what}.`);
    }
    return new BlobError('absent', `No object is stored for ${what}.`);
  }
}

/** Identity of an object over all stores. */
function id(location: BlobLocation): string {
  return `${location.store.name}\0${location.key}`;
}

/** Length of an object, or undefined when it is absent. One byte is asked for, so no HEAD is needed. */
async function sizeOf(location: BlobLocation): Promise<number | undefined> {
  try {
    const answer = await location.store.get(location.key, { range: { offset: 0, length: 1 } });
    answer.cancel();
    return isUploadSession(answer.info) ? undefined : answer.info.size;
  } catch (error) {
    if (isStoreError(error, 'RangeNotSatisfiable')) return 0;
    if (isStoreError(error, 'NotFound', 'AccessDenied')) return undefined;
    throw error;
  }
}
