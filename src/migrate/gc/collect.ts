import type { Digest } from '../../oci/digest.js';
import type { RegistryArea } from '../../registry/registry.js';
import { isStoreError } from '../../store/errors.js';
import type { WritableObjectStore } from '../../store/object-store.js';
import {
  ChangeRefusedError,
  exclusively,
  findReturnable,
  findUnfinished,
  findUploads,
} from '../exclusive.js';
import { type MeteredStore, withMeter } from '../run/meter.js';
import { KEYS_PER_DELETION, type Requests } from '../run/requests.js';
import type { Survey } from '../survey/survey.js';
import { findGarbage, type Garbage, type GarbageDigest } from './garbage.js';
import { isUnchanged, lookAgain } from './look-again.js';
import { findReach, type Reach, type ReachOptions } from './reach.js';

/** A root and the store to change it through. */
export interface CollectedArea {
  readonly area: RegistryArea;
  readonly store: WritableObjectStore;
}

/** What may be deleted of one root. */
export interface AreaGarbage extends Garbage {
  readonly area: RegistryArea;
  readonly metered: MeteredStore;
  readonly survey: Survey;
  readonly reach: Reach;
}

/** What may be deleted of a registry. */
export interface CollectionPlan {
  readonly areas: readonly AreaGarbage[];
  /** Why nothing may be, full sentences. */
  readonly blockers: readonly string[];
  /** What should be known before it is done, full sentences. */
  readonly warnings: readonly string[];
}

export interface CollectionOptions extends Omit<ReachOptions, 'store'> {
  /** Uploads that are stored or under way are leftovers of a crash. */
  readonly ignoreUploads: boolean;
}

/**
 * Find the garbage of all roots of a registry. What any index of any of them reaches is none, in
 * whatever root it is stored.
 * @throws StoreError
 */
export async function planCollection(
  areas: readonly CollectedArea[],
  options: CollectionOptions,
): Promise<CollectionPlan> {
  const looked: Omit<AreaGarbage, keyof Garbage>[] = [];
  const blockers: string[] = [];
  const warnings: string[] = [];
  for (const { area, store } of areas) {
    const metered = withMeter(store);
    const reach = await findReach(area, { ...options, store: metered.store });
    const { survey } = reach;
    looked.push({ area, metered, survey, reach });
    blockers.push(...reach.doubts, ...findUnfinished(survey));
    warnings.push(...findReturnable(survey));
    if (!options.ignoreUploads) {
      blockers.push(...(await findUploads(survey, metered.store, options.signal)));
    }
  }
  const isReached = (digest: Digest) => looked.some(({ reach }) => reach.isReached(digest));
  return {
    areas: looked.map((one) => ({ ...one, ...findGarbage(one.survey, isReached) })),
    blockers,
    warnings,
  };
}

/** What came of deleting the garbage of one root. */
export interface Collected {
  readonly objects: number;
  readonly bytes: number;
  /** Whole keys of objects that were another, or gone, by then. */
  readonly changed: readonly string[];
  readonly refused: readonly { readonly key: string; readonly reason: string }[];
  /** Why it ended early, a full sentence. */
  readonly stopped?: string;
}

export interface CollectOptions extends CollectionOptions {
  readonly takeOver: boolean;
  /**
   * How old the last look at the bucket may be when something is deleted, ms; default 30 s, or as long
   * as a look takes. 0: look before every request.
   */
  readonly lookEveryMs?: number;
  readonly onDeleted?: ((objects: number) => void) | undefined;
}

const LOOK_EVERY = 30_000;

/**
 * Delete the garbage of one root, placeholders before bytes, after another look at the bucket. May
 * be cut off at any request and done again with a new plan.
 * @throws ChangeRefusedError before anything was deleted, LockedError, StoreError
 */
export async function collect(garbage: AreaGarbage, options: CollectOptions): Promise<Collected> {
  const { store } = garbage.metered;
  const { root } = garbage.area;
  const { takeOver, signal } = options;
  if (garbage.digests.length === 0) return NOTHING;
  return exclusively('gc', { store, root, takeOver, signal }, () =>
    new Collection(garbage, options).run(),
  );
}

const NOTHING: Collected = { objects: 0, bytes: 0, changed: [], refused: [] };

/** One pass over a root's garbage. */
class Collection {
  readonly #garbage: AreaGarbage;
  readonly #options: CollectOptions;
  readonly #changed: string[] = [];
  #objects = 0;
  #bytes = 0;
  #lookedAt = -Infinity;
  #lookedFor = 0;
  #current: Survey;

  constructor(garbage: AreaGarbage, options: CollectOptions) {
    this.#garbage = garbage;
    this.#options = options;
    this.#current = garbage.survey;
  }

  async run(): Promise<Collected> {
    for (const batch of batchesOf(this.#garbage.digests)) {
      this.#options.signal?.throwIfAborted();
      const problems = await this.#look();
      if (problems.length > 0) {
        if (this.#objects === 0) {
          throw new ChangeRefusedError(`Nothing was deleted. ${problems.join(' ')}`);
        }
        return this.#end([], problems.join(' '));
      }
      const refused = await this.#delete(batch.filter((one) => this.#isStillGarbage(one)));
      if (refused.length > 0) return this.#end(refused, 'The store would not delete any more.');
    }
    return this.#end([]);
  }

  #end(refused: Collected['refused'], stopped?: string): Collected {
    return {
      objects: this.#objects,
      bytes: this.#bytes,
      changed: this.#changed,
      refused,
      ...(stopped !== undefined && { stopped }),
    };
  }

  /** List again, unless that was done a moment ago. */
  async #look(): Promise<readonly string[]> {
    const { area, metered, survey } = this.#garbage;
    const { lookEveryMs, ignoreUploads, signal } = this.#options;
    const began = performance.now();
    const rest = lookEveryMs ?? Math.max(LOOK_EVERY, this.#lookedFor);
    if (began - this.#lookedAt < rest) return [];
    const look = await lookAgain(area, survey, { store: metered.store, ignoreUploads, signal });
    this.#current = look.survey;
    this.#lookedAt = performance.now();
    this.#lookedFor = this.#lookedAt - began;
    return look.problems;
  }

  #isStillGarbage({ digest, copies }: GarbageDigest): boolean {
    if (isUnchanged(digest, copies, this.#current)) return true;
    this.#changed.push(...copies.map(({ key }) => this.#garbage.area.root + key));
    return false;
  }

  /** @returns what the store would not delete */
  async #delete(digests: readonly GarbageDigest[]): Promise<Collected['refused']> {
    const { metered, area } = this.#garbage;
    const { signal, onDeleted } = this.#options;
    const copies = digests.flatMap((one) => one.copies);
    // Placeholders of all digests first: none of them is ever without its bytes.
    for (const placeholder of [true, false]) {
      const chosen = copies.filter((copy) => copy.placeholder === placeholder);
      for (let from = 0; from < chosen.length; from += KEYS_PER_DELETION) {
        const some = chosen.slice(from, from + KEYS_PER_DELETION);
        const keys = some.map(({ key }) => area.root + key);
        const refused = await deleteKeys(metered.store, keys, signal);
        const gone = some.filter(({ key }) => !refused.some((one) => one.key === area.root + key));
        this.#objects += gone.length;
        this.#bytes += gone.reduce((sum, { size }) => sum + size, 0);
        onDeleted?.(this.#objects);
        if (refused.length > 0) return refused;
      }
    }
    return [];
  }
}

async function deleteKeys(
  store: WritableObjectStore,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Collected['refused']> {
  try {
    const failures = await store.deleteMany(keys, signal);
    return failures.map(({ key, error }) => ({ key, reason: error.message }));
  } catch (error) {
    if (!isStoreError(error, 'AccessDenied')) throw error;
    return keys.map((key) => ({ key, reason: error.message }));
  }
}

/** Whole digests, about as many as one request deletes. */
function* batchesOf(digests: readonly GarbageDigest[]): Generator<GarbageDigest[]> {
  let batch: GarbageDigest[] = [];
  let objects = 0;
  for (const one of digests) {
    if (objects > 0 && objects + one.copies.length > KEYS_PER_DELETION) {
      yield batch;
      batch = [];
      objects = 0;
    }
    batch.push(one);
    objects += one.copies.length;
  }
  if (batch.length > 0) yield batch;
}

/** Requests made for these roots so far. */
export function requestsOf({ areas }: CollectionPlan): Requests[] {
  return areas.map(({ metered }) => metered.requests());
}
