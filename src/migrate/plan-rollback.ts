import type { FormerBlob, FormerLine } from './journal/format.js';
import { standingRun, type RunListing } from './journal/journals.js';
import { LOCK_KEY } from './journal/lock.js';
import { JournalReader } from './journal/reader.js';
import type { Move } from './moves/move.js';
import { readSettled } from './moves/resumed.js';
import { movesToFormer } from './moves/to-former.js';
import { makePlan, ownUploads, readReferences, withoutOwnUploads } from './plan-migration.js';
import type { Plan } from './plan/plan.js';
import type { UploadInFlight } from '../store/object-store.js';
import { unexplainedLife, type Session } from './session.js';

/** A plan to take a run back, and what is needed to act on it. */
export interface PlannedRollback {
  readonly plan: Plan;
  readonly run: RunListing;
  readonly moves: () => AsyncIterable<Move>;
  /** Copies in parts that a crash of ours left. */
  readonly leftovers: readonly UploadInFlight[];
}

/** There is no run that could be taken back as was asked; the message says what to do. */
export class NoSuchRunError extends Error {
  override readonly name = 'NoSuchRunError';
}

/**
 * The run to take back: the newest whose changes are still there.
 * @param wanted the run that the operator names, if any
 * @returns undefined when no journal is stored
 * @throws NoSuchRunError when another run must be taken back first, or there is no such run
 */
export function runToRollBack(
  runs: readonly RunListing[],
  wanted: string | undefined,
): RunListing | undefined {
  const newest = standingRun(runs);
  if (wanted === undefined || wanted === newest?.run) return newest;
  const known = runs.find(({ run, began }) => run === wanted && began);
  if (known === undefined) {
    throw new NoSuchRunError(`There is no journal of a run ${wanted} that changed anything.`);
  }
  throw new NoSuchRunError(
    known.rolledBack
      ? `The run ${wanted} was rolled back already.`
      : `The run ${newest?.run ?? ''} came after ${wanted}: roll that one back first.`,
  );
}

/**
 * Find out what taking a run back by its journal would do. Nothing is written.
 * @throws StoreError, JournalError
 */
export async function planRollback(session: Session, run: RunListing): Promise<PlannedRollback> {
  const { metered, root, survey, signal } = session;
  const reader = new JournalReader({ store: metered.store, root }, run, signal);
  const begin = await reader.begin();
  // A registry copies in parts, too: only where a run of ours was cut off may they be its own.
  const isCutOff =
    !run.ended ||
    run.segments.rollback.length > 0 ||
    survey.journal.some(({ key }) => key === LOCK_KEY);
  const leftovers = isCutOff ? ownUploads(session) : [];
  const blockers = unexplainedLife(isCutOff ? withoutOwnUploads(session) : session);
  const warnings: string[] = [];
  const { indexes, objects } = await readIndexes(reader.former());
  const changed = survey.repositories.filter((repository) => {
    const etag = survey.directories.get(repository)?.index?.etag;
    return etag === undefined || indexes.get(repository) !== etag;
  });
  const references = await readReferences(session, changed, blockers, warnings);
  const options = {
    survey,
    lines: () => blobLines(reader.former()),
    verified: await readSettled(survey, reader.progress('progress')),
    settled: await readSettled(survey, reader.progress('rollback')),
    references,
    wasToShared: begin.to === 'shared',
  };
  let gone = 0;
  const counted = movesToFormer(options, () => (gone += 1));
  const missing = objects.filter((key) => !survey.markers.some((marker) => marker.key === key));
  const segments = run.segments.former.length;
  const plan = await makePlan(
    session,
    begin.to === 'shared' ? 'per-repository' : 'shared',
    counted,
    {
      segments,
      costs: {
        // Once for the moves, once for the small objects.
        segmentsRead: 2 * segments,
        objectsWritten: missing.length,
        uploadsAborted: leftovers.length,
        mustEnd: true,
      },
      blockers,
      warnings,
      isRollback: true,
    },
  );
  if (gone > 0) {
    warnings.push(
      `Blobs that were deleted from the registry since the run, and to which nothing refers, do not ` +
        `come back (${gone}).`,
    );
  }
  return { plan, run, moves: () => movesToFormer(options), leftovers };
}

async function readIndexes(
  lines: AsyncIterable<FormerLine>,
): Promise<{ indexes: ReadonlyMap<string, string | undefined>; objects: readonly string[] }> {
  const indexes = new Map<string, string | undefined>();
  const objects: string[] = [];
  for await (const line of lines) {
    if ('index' in line) indexes.set(line.index, line.etag);
    else if ('object' in line) objects.push(line.object);
  }
  return { indexes, objects };
}

async function* blobLines(lines: AsyncIterable<FormerLine>): AsyncGenerator<FormerBlob> {
  for await (const line of lines) if ('blob' in line) yield line;
}
