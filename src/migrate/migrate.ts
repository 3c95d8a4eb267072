import type { DeleteFailure, UploadInFlight } from '../store/object-store.js';
import { journalOf, performIn, place, refuseBlocked, withBucket, type Report } from './act.js';
import { JOURNAL_FORMAT, newRunName, type FormerObject } from './journal/format.js';
import type { RunListing } from './journal/journals.js';
import { readWhole } from './journal/read-whole.js';
import { JournalReader } from './journal/reader.js';
import type { JournalWriter } from './journal/writer.js';
import { ownUploads, type PlannedMigration } from './plan-migration.js';
import { perform } from './run/perform.js';
import { staleMarkers, type Session } from './session.js';

/**
 * Act on a plan: journal first, then move after move. May be begun again after it was cut off at any
 * request: then `planMigration` finds the unfinished run.
 * @throws RefusedError, LockedError, InUseError, StoreError, JournalError
 */
export async function migrate(session: Session, planned: PlannedMigration): Promise<Report> {
  const { plan, moves, resumes } = planned;
  refuseBlocked(plan.blockers);
  const requests = session.metered.requests;
  if (plan.totals.digests === 0 && resumes === undefined) {
    const { skipped } = plan.totals;
    const nothing = { settled: 0, kept: [], changes: 0, refused: [] };
    return { ...nothing, skipped, finished: true, requests: requests() };
  }
  const run = resumes?.run ?? newRunName(namesOf(session.runs), new Date());
  const performed = await withBucket(session, run, async (owner) => {
    const journal = journalOf(session, run, resumes);
    if (resumes === undefined) await beginJournal(session, planned, journal);
    else await abortUploads(session, ownUploads(session));
    const kind = 'progress';
    const done = await perform({ ...performIn(session, owner), moves: moves(), journal, kind });
    const refused = [...done.refused];
    if (refused.length === 0) refused.push(...(await deleteObjects(session, resumes)));
    if (refused.length > 0) return { ...done, refused };
    const end = {
      endedAt: new Date().toISOString(),
      settled: done.settled,
      skipped: done.skipped.length,
      requests: requests(),
    };
    await journal.end('end.json', end);
    // So that a rollback is about an earlier run, which changed something.
    if (done.changes === 0 && resumes === undefined) await journal.end('rolled-back.json', end);
    return done;
  });
  return { ...performed, run, finished: performed.refused.length === 0, requests: requests() };
}

const namesOf = (runs: readonly RunListing[]): string[] => runs.map(({ run }) => run);

async function beginJournal(
  session: Session,
  { plan, former }: PlannedMigration,
  journal: JournalWriter,
): Promise<void> {
  const { store, root, signal } = place(session);
  for (const line of former()) await journal.former(line);
  for (const { key } of staleMarkers(session.survey)) {
    const body = await readWhole(store, root + key, signal);
    if (body !== undefined) await journal.former({ object: key, body: body.toString('base64') });
  }
  await journal.begin({
    format: JOURNAL_FORMAT,
    tool: session.tool,
    to: plan.to,
    startedAt: new Date().toISOString(),
    digests: plan.totals.digests,
  });
}

/** Give up copies in parts that a crash left. @throws StoreError */
export async function abortUploads(
  session: Session,
  uploads: readonly UploadInFlight[],
): Promise<void> {
  const { store, signal } = place(session);
  for (const upload of uploads) await store.abortUpload(upload, signal);
}

/** Delete the small objects that the journal holds. @returns what the store would not delete */
async function deleteObjects(
  session: Session,
  resumes: RunListing | undefined,
): Promise<readonly DeleteFailure[]> {
  const { store, root, signal } = place(session);
  const stored = session.survey.markers.map(({ key }) => key);
  const wanted =
    resumes === undefined
      ? staleMarkers(session.survey).map(({ key }) => key)
      : (await formerObjects(session, resumes)).map(({ object }) => object);
  const keys = wanted.filter((key) => stored.includes(key)).map((key) => root + key);
  return keys.length === 0 ? [] : store.deleteMany(keys, signal);
}

/** The small objects that a run deletes, as its journal has them. @throws StoreError, JournalError */
export async function formerObjects(session: Session, run: RunListing): Promise<FormerObject[]> {
  const { store, root, signal } = place(session);
  const reader = new JournalReader({ store, root }, run, signal);
  const objects: FormerObject[] = [];
  for await (const line of reader.former()) if ('object' in line) objects.push(line);
  return objects;
}
