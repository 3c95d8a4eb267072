import { journalOf, performIn, place, refuseBlocked, withBucket, type Report } from './act.js';
import { abortUploads, formerObjects } from './migrate.js';
import type { PlannedRollback } from './plan-rollback.js';
import { perform, type Performed } from './run/perform.js';
import type { Session } from './session.js';

/**
 * Take a run back by its journal. May be begun again after it was cut off at any request. The run's
 * journal is all that stays.
 * @throws RefusedError, LockedError, InUseError, StoreError, JournalError
 */
export async function rollback(
  session: Session,
  { plan, run, moves, leftovers }: PlannedRollback,
): Promise<Report> {
  refuseBlocked(plan.blockers);
  const requests = session.metered.requests;
  const performed = await withBucket(session, run.run, async (owner) => {
    const journal = journalOf(session, run.run, run);
    await abortUploads(session, leftovers);
    const done = await perform({
      ...performIn(session, owner),
      moves: moves(),
      journal,
      kind: 'rollback',
    });
    if (done.refused.length > 0 || isPassing(done)) return done;
    await putObjectsBack(session, run);
    await journal.end('rolled-back.json', {
      endedAt: new Date().toISOString(),
      settled: done.settled,
      skipped: done.skipped.length,
      requests: requests(),
    });
    return done;
  });
  const finished = performed.refused.length === 0 && !isPassing(performed);
  return { ...performed, run: run.run, finished, requests: requests() };
}

/** Whether some digest could not be returned now, and may be later: the journal is still needed. */
function isPassing({ skipped }: Performed): boolean {
  return skipped.some(({ passing }) => passing === true);
}

/** Write the small objects that the run deleted, where they are missing. */
async function putObjectsBack(session: Session, run: PlannedRollback['run']): Promise<void> {
  const { store, root, signal } = place(session);
  const stored = new Set(session.survey.markers.map(({ key }) => key));
  for (const { object, body } of await formerObjects(session, run)) {
    if (!stored.has(object)) await store.put(root + object, Buffer.from(body, 'base64'), signal);
  }
}
