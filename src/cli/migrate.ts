import { UsageError } from '../config/usage-error.js';
import { LAYOUTS, type Layout } from '../migrate/journal/format.js';
import { migrate } from '../migrate/migrate.js';
import { READERS } from '../migrate/plan/blockers.js';
import { planMigration } from '../migrate/plan-migration.js';
import { actingLine, proposeAndAct, type ActingRequest } from './acting.js';
import type { ExitCode } from './exit-code.js';

/** Run `layoutfs migrate`. @throws UsageError, and what looking at and changing the bucket throws */
export async function migrateCommandLine(
  request: ActingRequest & { readonly to: string },
): Promise<ExitCode> {
  const to = LAYOUTS.find((layout) => layout === request.to);
  if (to === undefined) {
    throw new UsageError(`--to: "${request.to}" is no layout: use ${LAYOUTS.join(' or ')}.`);
  }
  return proposeAndAct(request, async (session, source) => {
    const planned = await planMigration(session, to);
    const { plan } = planned;
    const resumed = plan.resumes === undefined ? '' : `, going on with run ${plan.resumes}`;
    return {
      plan,
      title: `${DESCRIPTIONS[to]}${resumed}`,
      readers: READERS[to],
      command: actingLine('migrate', ['--to', to], { plan, source, options: request.options }),
      act: () => migrate(session, planned),
    };
  });
}

const DESCRIPTIONS: Readonly<Record<Layout, string>> = {
  shared: 'To the shared layout (storage/blobs)',
  'per-repository': 'To whole copies in every repository',
};
