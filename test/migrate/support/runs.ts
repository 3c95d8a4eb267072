import { migrate } from '../../../src/migrate/migrate.js';
import type { Report } from '../../../src/migrate/act.js';
import type { Layout } from '../../../src/migrate/journal/format.js';
import { planMigration } from '../../../src/migrate/plan-migration.js';
import { planRollback, runToRollBack } from '../../../src/migrate/plan-rollback.js';
import type { Plan } from '../../../src/migrate/plan/plan.js';
import { rollback } from '../../../src/migrate/rollback.js';
import { openSession, type SessionOptions } from '../../../src/migrate/session.js';
import type { WritableObjectStore } from '../../../src/store/object-store.js';

/** Nothing is left to take back. */
export class NoRun extends Error {
  override readonly name = 'NoRun';
}

type Options = Partial<SessionOptions>;

const session = (store: WritableObjectStore, options: Options) =>
  openSession({ store, root: '', tool: 'test', concurrency: 4, takeOver: true, ...options });

/** Plan only. */
export async function plan(
  store: WritableObjectStore,
  to: Layout,
  options: Options = {},
): Promise<Plan> {
  return (await planMigration(await session(store, options), to)).plan;
}

/** Plan and act. */
export async function runMigration(
  store: WritableObjectStore,
  to: Layout = 'shared',
  options: Options = {},
): Promise<Report & { readonly plan: Plan }> {
  const opened = await session(store, options);
  const planned = await planMigration(opened, to);
  return { ...(await migrate(opened, planned)), plan: planned.plan };
}

/** Plan to take the newest run back, and act. */
export async function runRollback(
  store: WritableObjectStore,
  options: Options = {},
): Promise<Report & { readonly plan: Plan }> {
  const opened = await session(store, options);
  const run = runToRollBack(opened.runs, undefined);
  if (run === undefined) throw new NoRun('There is no run to take back.');
  const planned = await planRollback(opened, run);
  return { ...(await rollback(opened, planned)), plan: planned.plan };
}
