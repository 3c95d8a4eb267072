import { UsageError } from '../config/usage-error.js';
import { migrate } from '../migrate/migrate.js';
import type { RunListing } from '../migrate/journal/journals.js';
import { READERS } from '../migrate/plan/blockers.js';
import { planMigration } from '../migrate/plan-migration.js';
import { NoSuchRunError, planRollback, runToRollBack } from '../migrate/plan-rollback.js';
import { rollback } from '../migrate/rollback.js';
import { actingLine, proposeAndAct, type ActingRequest } from './acting.js';
import { shellWord } from './command-hint.js';
import type { ExitCode } from './exit-code.js';

export interface RollbackRequest extends ActingRequest {
  readonly run: string | undefined;
  readonly byClosure: boolean;
}

/** Run `layoutfs rollback`. @throws UsageError, and what looking at and changing the bucket throws */
export async function rollbackCommandLine(request: RollbackRequest): Promise<ExitCode> {
  const { run: wanted, byClosure, options, own } = request;
  if (byClosure && wanted !== undefined) {
    throw new UsageError('Give either --run (by its journal) or --by-closure, not both.');
  }
  return proposeAndAct(request, async (session, source) => {
    // The plan may be shown unasked; to multiply what is stored is for the operator to say.
    const isUnasked = wanted === undefined && own.apply !== true && !session.runs.some(hasBegun);
    if (byClosure || isUnasked) {
      const planned = await planMigration(session, 'per-repository');
      return {
        plan: planned.plan,
        title: `${isUnasked && !byClosure ? 'There is no journal of a run. ' : ''}To whole copies in every repository, by closure`,
        readers: READERS['per-repository'],
        command: actingLine('rollback', ['--by-closure'], { plan: planned.plan, source, options }),
        act: () => migrate(session, planned),
      };
    }
    const run = runToRollBack(session.runs, wanted);
    if (run === undefined) {
      throw new NoSuchRunError(
        session.runs.some(({ rolledBack }) => rolledBack)
          ? `Every run in ${source} was rolled back already.`
          : `There is no journal of a run in ${source}. Without one, --by-closure gives every ` +
              'repository whole copies of all that it refers to, which every registry can read.',
      );
    }
    const planned = await planRollback(session, run);
    return {
      plan: planned.plan,
      title: `Taking run ${run.run} back, by its journal`,
      readers: ['whatever could read it before that run'],
      command: actingLine('rollback', ['--run', shellWord(run.run)], {
        plan: planned.plan,
        source,
        options,
      }),
      act: () => rollback(session, planned),
    };
  });
}

const hasBegun = ({ began }: RunListing): boolean => began;
