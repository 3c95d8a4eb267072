import { isStoreError } from '../store/errors.js';
import { journalKey } from './journal/format.js';
import type { RunListing } from './journal/journals.js';
import {
  holdsLock,
  LOCK_KEY,
  LockedError,
  releaseLock,
  takeLock,
  thisProcess,
  type LockOwner,
} from './journal/lock.js';
import { JournalWriter, type JournalPlace } from './journal/writer.js';
import { changedIndexes, describeLife, InUseError } from './plan/life.js';
import type { PerformOptions, Performed } from './run/perform.js';
import type { Requests } from './run/requests.js';
import type { Session } from './session.js';
import { JOURNAL_DIRECTORY } from './survey/key-kind.js';

/** What came of acting on a plan. */
export interface Report extends Performed {
  /** Absent where there was nothing to do. */
  readonly run?: string;
  /** False: the store refused something, so that the run has to be gone on with. */
  readonly finished: boolean;
  /** All requests, those of looking at the bucket among them. */
  readonly requests: Requests;
}

/** Acting on a plan is refused; the message says why and what to do. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** @throws RefusedError when there are blockers */
export function refuseBlocked(blockers: readonly string[]): void {
  if (blockers.length > 0) throw new RefusedError(blockers.join(' '));
}

/** Where this session's requests go. */
export function place({ metered, root, signal }: Session): Omit<JournalPlace, 'run'> {
  return { store: metered.store, root, signal };
}

/**
 * Do `work` as the only one who changes the bucket. The lock is given back however that ends, as
 * long as the store still answers.
 * @throws RefusedError, LockedError, StoreError, and what `work` throws
 */
export async function withBucket<T>(
  session: Session,
  run: string,
  work: (owner: LockOwner) => Promise<T>,
): Promise<T> {
  const at = place(session);
  const owner = thisProcess(run);
  await probe(session, run);
  await takeLock(at, owner, session.takeOver ?? false);
  let result: T;
  try {
    await seeNoOtherRun(session, run);
    result = await work(owner);
  } catch (error) {
    // Also after an abort, which `at` would hand on.
    await releaseLock({ ...at, signal: undefined }, owner).catch(() => undefined);
    throw error;
  }
  await releaseLock(at, owner);
  return result;
}

/**
 * What was looked at before the lock was ours may be no longer so.
 * @throws InUseError when another run wrote to a journal meanwhile
 */
async function seeNoOtherRun(session: Session, run: string): Promise<void> {
  const { store, root, signal } = place(session);
  const known = new Set(session.survey.journal.map(({ key }) => key));
  let token: string | undefined;
  do {
    const page = await store.list({
      prefix: `${root}${JOURNAL_DIRECTORY}/`,
      ...(token !== undefined && { token }),
      ...(signal !== undefined && { signal }),
    });
    const other = page.objects.find(({ key }) => {
      const name = key.slice(root.length);
      return name !== LOCK_KEY && name !== journalKey(run, 'probe') && !known.has(name);
    });
    if (other !== undefined) {
      throw new InUseError(
        `Another run of layoutfs changed this bucket meanwhile (${other.key}). Nothing was moved: ` +
          'look at the new plan first.',
      );
    }
    token = page.next;
  } while (token !== undefined);
}

/** See that objects can be written and deleted here, before anything is changed. */
async function probe(session: Session, run: string): Promise<void> {
  const { store, root, signal } = place(session);
  const key = root + journalKey(run, 'probe');
  try {
    await store.put(key, Buffer.from('May this be deleted?\n'), signal);
    await store.delete(key, signal);
  } catch (error) {
    if (!isStoreError(error, 'AccessDenied')) throw error;
    throw new RefusedError(
      `Nothing was moved, since these credentials may not write or not delete. ${error.message}`,
      { cause: error },
    );
  }
}

/** A writer of the journal of `run` that goes on after the segments that are there. */
export function journalOf(session: Session, run: string, listing?: RunListing): JournalWriter {
  return new JournalWriter(
    { ...place(session), run },
    {
      progress: Math.max(0, ...(listing?.segments.progress ?? [])),
      rollback: Math.max(0, ...(listing?.segments.rollback ?? [])),
    },
  );
}

/** What `perform` needs of a session in which `owner` holds the bucket. */
export function performIn(
  session: Session,
  owner: LockOwner,
): Omit<PerformOptions, 'moves' | 'journal' | 'kind'> {
  const { concurrency, onProgress } = session;
  let digests = 0;
  let bytes = 0;
  return {
    ...place(session),
    concurrency,
    beforeLoss: (first) => lookAgain(session, owner, first),
    onSettled: (copied: number): void => {
      digests += 1;
      bytes += copied;
      onProgress?.({ stage: 'moving', digests, bytes });
    },
  };
}

/**
 * A last look before something is deleted: at the lock each time, since who took it over may be
 * moving the same blobs the other way; at the registry the first time.
 * @throws InUseError when the registry shows signs of life, LockedError when the lock was taken over
 */
async function lookAgain(session: Session, owner: LockOwner, first: boolean): Promise<void> {
  const { store, root, signal } = place(session);
  if (!(await holdsLock({ store, root, signal }, owner))) {
    throw new LockedError(
      `The lock of ${store.name} was taken over by another layoutfs. ` +
        `${first ? 'Nothing was' : 'Nothing more is'} deleted here: let that one finish.`,
    );
  }
  if (!first) return;
  const { survey, concurrency, life } = session;
  const changed = await changedIndexes(survey, store, { concurrency, signal });
  const known = new Set(life.multipart.map(({ id }) => id));
  const uploads = await store.uploads(root, signal);
  const multipart = uploads.filter(({ id }) => !known.has(id));
  const told = describeLife({ uploads: [], multipart, changed });
  if (told.length === 0) return;
  throw new InUseError(
    `${told.join(' ')} Nothing was deleted; what was copied is used when the run is gone on with.`,
  );
}
