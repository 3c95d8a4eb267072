import type { ObjectInfo } from '../../store/object-store.js';
import { JOURNAL_DIRECTORY } from '../survey/key-kind.js';
import type { SegmentKind } from './format.js';

/** What a listing tells of one run. */
export interface RunListing {
  readonly run: string;
  /** `begin.json` is there: the run may have changed something. */
  readonly began: boolean;
  readonly ended: boolean;
  readonly rolledBack: boolean;
  /** Numbers of the segments of each kind, ascending. */
  readonly segments: Readonly<Record<SegmentKind, readonly number[]>>;
}

const OBJECT = /^([^/]+)\/(?:(former|progress|rollback)-(\d+)\.jsonl\.gz|(\w[\w-]*\.json))$/;

/** The runs whose journals are stored, oldest first. */
export function listRuns(journal: readonly ObjectInfo[]): RunListing[] {
  const runs = new Map<string, { files: Set<string>; segments: Record<SegmentKind, number[]> }>();
  for (const { key } of journal) {
    const match = OBJECT.exec(key.slice(JOURNAL_DIRECTORY.length + 1));
    const [, run, kind, number, file] = match ?? [];
    if (run === undefined) continue;
    const known = runs.get(run) ?? {
      files: new Set<string>(),
      segments: { former: [], progress: [], rollback: [] },
    };
    runs.set(run, known);
    if (file !== undefined) known.files.add(file);
    else known.segments[kind as SegmentKind].push(Number(number));
  }
  return [...runs]
    .map(([run, { files, segments }]) => ({
      run,
      began: files.has('begin.json'),
      ended: files.has('end.json'),
      rolledBack: files.has('rolled-back.json'),
      segments,
    }))
    .sort((a, b) => numberOf(a) - numberOf(b) || (a.run < b.run ? -1 : 1));
}

const numberOf = ({ run }: RunListing): number => Number(/^\d+/.exec(run)?.[0] ?? 0);

/** The newest run whose changes are still there, if there is one. */
export function standingRun(runs: readonly RunListing[]): RunListing | undefined {
  return runs.findLast(({ began, rolledBack }) => began && !rolledBack);
}
