import type { FormerLine, Layout } from './journal/format.js';
import { LOCK_KEY } from './journal/lock.js';
import { JournalReader } from './journal/reader.js';
import type { RunListing } from './journal/journals.js';
import { LINES_PER_SEGMENT } from './journal/writer.js';
import { formerLines } from './moves/former-lines.js';
import type { Move } from './moves/move.js';
import { readSettled, resumedMoves } from './moves/resumed.js';
import { movesToRepositories, References } from './moves/to-repositories.js';
import { movesToShared } from './moves/to-shared.js';
import { collisions, doubtfulRoot } from './plan/blockers.js';
import {
  planId,
  requestsToAct,
  requestsToReturn,
  type FixedCosts,
  type Plan,
} from './plan/plan.js';
import { totalsOf } from './plan/totals.js';
import { staleMarkers, unexplainedLife, unfinishedRun, type Session } from './session.js';
import { ClosureReader } from './survey/closure-reader.js';

/** A plan, and what is needed to act on it. */
export interface PlannedMigration {
  readonly plan: Plan;
  /** The moves, as often as they are asked for. */
  readonly moves: () => AsyncIterable<Move> | Iterable<Move>;
  /** What the journal of a new run must say before anything is changed. */
  readonly former: () => Iterable<FormerLine>;
  /** The run that is gone on with. */
  readonly resumes?: RunListing;
}

/**
 * Find out what bringing a registry to another layout would do. Nothing is written.
 * @throws StoreError, JournalError
 */
export async function planMigration(session: Session, to: Layout): Promise<PlannedMigration> {
  const unfinished = unfinishedRun(session.runs);
  if (unfinished !== undefined) return planResumption(session, to, unfinished);
  const { survey } = session;
  const warnings: string[] = [];
  const blockers = [...doubtfulRoot(session), ...collisions(survey), ...unexplainedLife(session)];
  let moves: () => Iterable<Move>;
  if (to === 'shared') moves = () => movesToShared(survey);
  else {
    const references = await readReferences(session, survey.repositories, blockers, warnings);
    moves = () => movesToRepositories(survey, references);
  }
  const former = (): Iterable<FormerLine> => formerLines(survey, moves());
  const objects = staleMarkers(survey).length;
  let lines = objects;
  for (const line of former()) lines += 'blob' in line || 'index' in line ? 1 : 0;
  const segments = Math.ceil(lines / LINES_PER_SEGMENT);
  const costs = {
    // `begin.json` among them.
    segmentsWritten: segments + 1,
    objectsRead: objects,
    objectsDeleted: objects,
  };
  const plan = await makePlan(session, to, moves(), { costs, segments, blockers, warnings });
  return { plan, moves, former };
}

/**
 * Who refers to what, by the closures of some repositories. A repository whose closure cannot be
 * known blocks, since its blobs could not be given to it.
 */
export async function readReferences(
  { survey, concurrency, signal, onProgress }: Session,
  repositories: readonly string[],
  blockers: string[],
  warnings: string[],
): Promise<References> {
  const reader = new ClosureReader(survey, {
    concurrency,
    signal,
    onProgress: (documents) => onProgress?.({ stage: 'reading', documents }),
  });
  return References.read(repositories, reader, ({ repository, problem, cutShort, unread }) => {
    const name = repository === '' ? 'the root' : repository;
    if (problem !== undefined) {
      blockers.push(`${problem} Its blobs could not be given to it: repair or remove it first.`);
    }
    if (cutShort === true) {
      blockers.push(`The repository ${name} refers to more than layoutfs follows.`);
    }
    if (unread.length > 0) {
      warnings.push(
        `Manifests of ${name} have no readable bytes (${unread.length}, the first is ` +
          `${unread[0] ?? ''}): what only they refer to stays where it is.`,
      );
    }
  });
}

async function planResumption(
  session: Session,
  to: Layout,
  run: RunListing,
): Promise<PlannedMigration> {
  const { metered, root, survey, signal } = session;
  const reader = new JournalReader({ store: metered.store, root }, run, signal);
  const begin = await reader.begin();
  const blockers = unexplainedLife(withoutOwnUploads(session));
  if (begin.to !== to) {
    blockers.push(
      `The run ${run.run} to ${begin.to} did not finish: finish it with --to ${begin.to}, or take it ` +
        'back with layoutfs rollback.',
    );
  }
  if (run.segments.rollback.length > 0) {
    blockers.push(`The run ${run.run} is being taken back: finish that with layoutfs rollback.`);
  }
  const settled = await readSettled(survey, reader.progress('progress'));
  const moves = (): AsyncIterable<Move> => resumedMoves(survey, reader.former(), settled);
  const segments = run.segments.former.length;
  const costs = {
    segmentsWritten: 0,
    // Once for the moves, once for the small objects.
    segmentsRead: 2 * segments,
    objectsDeleted: staleMarkers(survey).length,
    uploadsAborted: ownUploads(session).length,
    mustEnd: true,
  };
  const plan = await makePlan(session, to, moves(), { costs, segments, blockers, warnings: [] });
  return { plan: { ...plan, resumes: run.run }, moves, former: () => [], resumes: run };
}

/** Copies in parts that a crash of ours left are no signs of life. */
export function withoutOwnUploads(session: Session): Session {
  const own = new Set(ownUploads(session));
  const multipart = session.life.multipart.filter((upload) => !own.has(upload));
  return { ...session, life: { ...session.life, multipart } };
}

/** Multipart uploads to blobs: of an unfinished run these are its own. */
export function ownUploads({ life, root }: Session): Session['life']['multipart'] {
  return life.multipart.filter(({ key }) =>
    /(?:^|\/)blobs\/[^/]+\/[^/]+$/.test(key.slice(root.length)),
  );
}

export interface PlanParts {
  readonly costs: Partial<FixedCosts>;
  /** Of the journal, with former states. */
  readonly segments: number;
  readonly blockers: readonly string[];
  readonly warnings: readonly string[];
  readonly isRollback?: boolean;
}

/** Add up moves, with what acting on them costs besides. */
export async function makePlan(
  { survey, metered, store }: Session,
  to: Layout,
  moves: AsyncIterable<Move> | Iterable<Move>,
  { costs, segments, blockers, warnings, isRollback = false }: PlanParts,
): Promise<Plan> {
  const totals = await totalsOf(moves, store.capabilities);
  return {
    to,
    id: planId(survey),
    keys: survey.keys,
    repositories: survey.repositories.length,
    bytes: survey.bytes,
    blobs: totals.digests + totals.idle + totals.skipped.length,
    totals,
    requests: requestsToAct(totals, survey, {
      segmentsWritten: 0,
      segmentsRead: 0,
      objectsRead: 0,
      objectsDeleted: 0,
      objectsWritten: 0,
      uploadsAborted: 0,
      mustEnd: false,
      isLocked: survey.journal.some(({ key }) => key === LOCK_KEY),
      looked: metered.requests(),
      ...costs,
    }),
    ...(!isRollback && { rollback: requestsToReturn(totals, survey, store, segments) }),
    bytesAfter: survey.bytes + totals.copiedBytes - totals.freedBytes,
    blockers,
    warnings,
  };
}
