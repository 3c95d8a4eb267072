import { BLOBSTORE, OLD_MARKERS } from '../registry/zot/blob-roots.js';
import type { ObjectInfo, WritableObjectStore } from '../store/object-store.js';
import { listRuns, type RunListing } from './journal/journals.js';
import { describeLife, type SignsOfLife } from './plan/life.js';
import { withMeter, type MeteredStore } from './run/meter.js';
import { withPace } from './run/pace.js';
import type { Survey } from './survey/survey.js';
import { takeSurvey } from './survey/take-survey.js';

/** What a run tells while it works. */
export type Stage =
  | { readonly stage: 'listing'; readonly keys: number }
  | { readonly stage: 'reading'; readonly documents: number }
  | { readonly stage: 'moving'; readonly digests: number; readonly bytes: number };

export interface SessionOptions {
  readonly store: WritableObjectStore;
  /** Key prefix of the registry's root: empty, or ending in a slash. */
  readonly root: string;
  /** The operator has named the root; else it was found by looking. */
  readonly isRootGiven?: boolean;
  /** Name and version of this program, for the journal. */
  readonly tool: string;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Most requests in a second; default no limit. */
  readonly rate?: number | undefined;
  /** Uploads that are stored or under way are leftovers of a crash. */
  readonly ignoreUploads?: boolean;
  /** Take a lock over whose process cannot be seen to be dead. */
  readonly takeOver?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((stage: Stage) => void) | undefined;
}

/** A bucket that was looked at, and is about to be changed or not. */
export interface Session extends SessionOptions {
  readonly metered: MeteredStore;
  readonly survey: Survey;
  readonly runs: readonly RunListing[];
  readonly life: SignsOfLife;
}

/**
 * Look at a bucket: its keys, the journals in it, and what is under way.
 * @throws StoreError
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { root, rate, signal, onProgress } = options;
  const paced = rate === undefined ? options.store : withPace(options.store, rate, signal);
  const metered = withMeter(paced);
  const { store } = metered;
  const survey = await takeSurvey({
    store,
    root,
    signal,
    onProgress: (keys) => onProgress?.({ stage: 'listing', keys }),
  });
  const multipart = await store.uploads(root, signal);
  const life = { uploads: survey.uploads, multipart, changed: [] };
  return { ...options, store, metered, survey, runs: listRuns(survey.journal), life };
}

/** Full sentences about signs of life that the operator did not explain. */
export function unexplainedLife({ ignoreUploads = false, life }: Session): string[] {
  return ignoreUploads ? [] : describeLife(life);
}

/** The unfinished run, if there is one: it must be finished or taken back before anything else. */
export function unfinishedRun(runs: readonly RunListing[]): RunListing | undefined {
  return runs.find(({ began, ended, rolledBack }) => began && !ended && !rolledBack);
}

/** zot's markers that say that its own shared directory is in use: false once that is emptied. */
export function staleMarkers(survey: Survey): readonly ObjectInfo[] {
  if ((survey.directories.get(BLOBSTORE)?.copies ?? 0) === 0) return [];
  return survey.markers.filter(({ key }) => ABOUT_BLOBSTORE.includes(key));
}

const ABOUT_BLOBSTORE: readonly string[] = ['_global_blobstore_migrated', ...OLD_MARKERS];
