import type { RegistryArea } from '../../registry/registry.js';
import {
  copyRequests,
  type WritableObjectStore,
  type WritingCapabilities,
} from '../../store/object-store.js';
import { digestParts } from '../../oci/digest.js';
import { BlobPlaces } from '../check/blob-places.js';
import type { DamagedBlob, UnreadableRepository } from '../check/report.js';
import { RepositoryCheck } from '../check/repository-check.js';
import { ChangeRefusedError, exclusively, findUnfinished, findUploads } from '../exclusive.js';
import { inParallel } from '../run/in-parallel.js';
import { withMeter } from '../run/meter.js';
import { type Requests, sum } from '../run/requests.js';
import type { Survey } from '../survey/survey.js';
import { takeSurvey } from '../survey/take-survey.js';
import { refill, type Refilled } from './refill.js';
import { type Refill, Refills } from './refills.js';

/** How far a repair is. */
export type RepairProgress =
  | { readonly stage: 'list'; readonly keys: number }
  | { readonly stage: 'follow'; readonly documents: number }
  | { readonly stage: 'copy'; readonly objects: number; readonly total: number };

export interface RepairOptions {
  readonly store: WritableObjectStore;
  /** Only digests at risk, and each at its smallest key only. */
  readonly protect: boolean;
  /** Which repositories are repaired. */
  readonly accepts: (repository: string) => boolean;
  /** Digests worked on at once. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RepairProgress) => void) | undefined;
}

/** What one root of a registry needs. */
export interface RepairPlan {
  readonly survey: Survey;
  /** Repositories that were looked at. */
  readonly repositories: readonly string[];
  readonly refills: readonly Refill[];
  readonly lost: readonly DamagedBlob[];
  readonly unreadable: readonly UnreadableRepository[];
  /** Asked for the plan. */
  readonly spent: Requests;
  /** That acting on it takes, when every object is what its name says. */
  readonly forecast: Requests;
}

/**
 * Find out what can be refilled, by the requests of a check.
 * @throws StoreError when the store refuses to list, or fails altogether
 */
export async function planRepair(area: RegistryArea, options: RepairOptions): Promise<RepairPlan> {
  const { protect, concurrency, signal, onProgress } = options;
  const { root, rules, kind } = area;
  const { store, requests } = withMeter(options.store);
  const survey = await takeSurvey({
    store,
    root,
    rules,
    signal,
    onProgress: (keys) => onProgress?.({ stage: 'list', keys }),
  });
  const places = new BlobPlaces(survey, kind);
  const repositories = survey.repositories.filter(
    (name) => area.serves(name) && options.accepts(name),
  );
  const gathered = new Refills(survey, places, protect);
  const check = new RepositoryCheck(survey, places, {
    concurrency,
    signal,
    onProgress: (documents) => onProgress?.({ stage: 'follow', documents }),
    onJudged: (judged) => {
      if (!protect || kind === 'zot') gathered.add(judged);
    },
  });
  await check.judge(repositories);
  const { missing, unresolved, wrongSize, unreadable } = check.damage();
  const refills = gathered.list();
  return {
    survey,
    repositories,
    refills,
    lost: [...missing, ...unresolved, ...wrongSize],
    unreadable,
    spent: requests(),
    forecast: forecast(refills, store.capabilities),
  };
}

/** The lock and its end, a look at uploads, and the copies. */
function forecast(refills: readonly Refill[], capabilities: WritingCapabilities): Requests {
  const around = { list: 1, put: 1, get: 1, delete: 1, bytesWritten: 0 };
  const copies = refills.map(({ digest, size, targets }) => {
    const { length } = targets;
    const isProven =
      capabilities.copyChecksum &&
      size <= capabilities.largestCopy &&
      digestParts(digest).algorithm === 'sha256';
    const reads = 1 + (isProven ? 0 : length);
    return {
      put: length * copyRequests(capabilities, size),
      get: length + reads,
      bytesRead: reads * size,
    };
  });
  return refills.length === 0 ? sum() : sum(around, ...copies);
}

/** What came of acting on a plan. */
export interface Repaired extends Refilled {
  readonly bytes: number;
  readonly requests: Requests;
}

/**
 * Act on a plan. May be cut off at any request and done again with a new plan: each target holds
 * what it held before, or the verified bytes.
 * @throws ChangeRefusedError when uploads are under way or a migration is half done, LockedError,
 *   StoreError
 */
export async function applyRepair(
  { survey, refills }: RepairPlan,
  options: RepairOptions & {
    /** Uploads that are stored or under way are leftovers of a crash. */
    readonly ignoreUploads: boolean;
    readonly takeOver: boolean;
  },
): Promise<Repaired> {
  const { concurrency, signal, onProgress, takeOver, ignoreUploads } = options;
  const { store, requests } = withMeter(options.store);
  const { root } = survey;
  if (refills.length === 0) {
    return { filled: [], already: [], skipped: [], bytes: 0, requests: requests() };
  }
  const reasons = findUnfinished(survey);
  if (!ignoreUploads) reasons.push(...(await findUploads(survey, store, signal)));
  if (reasons.length > 0) throw new ChangeRefusedError(`Nothing was changed. ${reasons.join(' ')}`);
  const total = refills.reduce((count, { targets }) => count + targets.length, 0);
  let objects = 0;
  const results = await exclusively('repair', { store, root, takeOver, signal }, () =>
    inParallel(refills, concurrency, async (one) => {
      signal?.throwIfAborted();
      const result = await refill(one, { store, root, signal });
      objects += one.targets.length;
      onProgress?.({ stage: 'copy', objects, total });
      return { ...result, bytes: result.filled.length * one.size };
    }),
  );
  return {
    filled: results.flatMap(({ filled }) => filled),
    already: results.flatMap(({ already }) => already),
    skipped: results.flatMap(({ skipped }) => skipped),
    bytes: results.reduce((sumOf, { bytes }) => sumOf + bytes, 0),
    requests: requests(),
  };
}
