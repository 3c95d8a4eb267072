import { createHash } from 'node:crypto';
import type { WritableObjectStore } from '../../store/object-store.js';
import type { Layout } from '../journal/format.js';
import { sum, type Requests } from '../run/requests.js';
import type { Survey } from '../survey/survey.js';
import type { Totals } from './totals.js';

/** What a run would do, found out without writing anything. */
export interface Plan {
  readonly to: Layout;
  /** Changes when any `index.json` does. */
  readonly id: string;
  readonly keys: number;
  readonly repositories: number;
  /** Bytes stored now. */
  readonly bytes: number;
  /** Distinct digests with an object of theirs. */
  readonly blobs: number;
  readonly totals: Totals;
  /** All requests of acting on the plan, the listing and the journal included. */
  readonly requests: Requests;
  /** All requests of taking it back by its journal afterwards, about; absent for a rollback. */
  readonly rollback?: Requests;
  /** Bytes stored afterwards; a rollback by the journal brings the number of now back. */
  readonly bytesAfter: number;
  /** Full sentences: why nothing will be done. */
  readonly blockers: readonly string[];
  /** Full sentences: what the operator should know. */
  readonly warnings: readonly string[];
  /** The run that this goes on with. */
  readonly resumes?: string;
}

/** Identifies the state of all repositories' `index.json`. */
export function planId(survey: Survey): string {
  const hash = createHash('sha256');
  for (const repository of survey.repositories) {
    const { etag, size, lastModified } = survey.directories.get(repository)?.index ?? {};
    hash.update(JSON.stringify([repository, etag ?? lastModified, size]));
  }
  return hash.digest('hex').slice(0, 12);
}

export interface FixedCosts {
  /** Objects of the journal written before anything is changed. */
  readonly segmentsWritten: number;
  /** Objects of the journal read while acting. */
  readonly segmentsRead: number;
  /** Small objects kept in the journal and deleted, or put back. */
  readonly objectsRead: number;
  readonly objectsDeleted: number;
  readonly objectsWritten: number;
  /** Multipart uploads that a crash of ours left. */
  readonly uploadsAborted: number;
  /** Requests made so far, which acting repeats. */
  readonly looked: Requests;
  /** Somebody's lock is there to be taken over. */
  readonly isLocked: boolean;
  /** There is a run to finish, even where nothing is left to move. */
  readonly mustEnd: boolean;
}

/** All requests of acting, given those of the moves themselves. */
export function requestsToAct(totals: Totals, survey: Survey, costs: FixedCosts): Requests {
  if (totals.digests === 0 && !costs.mustEnd) return costs.looked;
  const loses =
    totals.placeholders + totals.deletedContent + totals.deletedPlaceholders > 0 ? 1 : 0;
  // Asked for, read, deleted, and asked for again.
  const lock = costs.isLocked ? { put: 1, get: 1, delete: 1 } : {};
  return sum(costs.looked, totals.requests, lock, {
    // A look at the journals, and a last one at uploads and indexes before anything is deleted.
    list: Math.ceil((survey.journal.length + 1) / 1000) + loses,
    // A probe, the lock, and the object that ends the run.
    put: costs.segmentsWritten + costs.objectsWritten + 3,
    // The lock is read before it is given back.
    get: costs.objectsRead + costs.segmentsRead + loses * survey.repositories.length + 1,
    delete: 2 + (costs.objectsDeleted > 0 ? 1 : 0) + costs.uploadsAborted,
  });
}

/** All requests of taking everything back: what was deleted comes back, what was made goes. */
export function requestsToReturn(
  totals: Totals,
  survey: Survey,
  store: WritableObjectStore,
  segments: number,
): Requests {
  const { deletedContent, deletedPlaceholders, digests, copies, batches } = totals;
  if (digests === 0) return sum({ list: survey.lists });
  const readBack = store.capabilities.copyChecksum ? 0 : deletedContent;
  return sum({
    list: survey.lists + 3,
    put: deletedContent + deletedPlaceholders + batches + 3,
    get: readBack + 2 * segments + 2 * batches + 2,
    delete: Math.ceil(copies / 1000) + batches + 2,
    bytesRead: readBack > 0 ? totals.freedBytes : 0,
  });
}
