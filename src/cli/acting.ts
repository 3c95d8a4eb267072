import type { Options } from '../config/options.js';
import { UsageError } from '../config/usage-error.js';
import { writableStore } from '../daemon/open-source.js';
import { type Report } from '../migrate/act.js';
import type { Plan } from '../migrate/plan/plan.js';
import { openSession, type Session, type Stage } from '../migrate/session.js';
import type { Registry } from '../registry/registry.js';
import { concurrencyOf, mayAct, rateOf, type ActingOptions } from './acting-options.js';
import { pricesFor } from './acting-prices.js';
import { registryFlags, shellWord } from './command-hint.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { untilInterrupted } from './interrupted.js';
import { renderPlan, renderReport } from './migrate-output.js';
import { describeStage } from './migrate-progress.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';
import { assertListable } from './source-operands.js';
import { packageVersion } from './version.js';
import { withSource } from './with-source.js';

export interface ActingRequest extends CommandContext {
  readonly source: string | undefined;
  readonly options: Options;
  readonly own: ActingOptions;
}

/** A plan, what to call it, and how to act on it. */
export interface Proposal {
  readonly plan: Plan;
  /** For people: what the plan would do, as a heading. */
  readonly title: string;
  /** What can read the registry afterwards. */
  readonly readers: readonly string[];
  /** How the same command line acts; for people. */
  readonly command: string;
  readonly act: () => Promise<Report>;
}

/**
 * Look at a bucket, propose, and act where that is asked for.
 * @throws UsageError, and what proposing and acting throw
 */
export async function proposeAndAct(
  request: ActingRequest,
  propose: (session: Session, source: string) => Promise<Proposal>,
): Promise<ExitCode> {
  const { source, options, own, terminal } = request;
  const acts = mayAct(own);
  const all = own.all === true;
  if (options.include.length + options.exclude.length > 0) {
    throw new UsageError(
      'A registry has one layout for all its repositories: leave --include and --exclude out.',
    );
  }
  const concurrency = concurrencyOf(own);
  const rate = rateOf(own);
  return withSource(source, options, terminal, async ({ registry, name, warnings }) => {
    if (own.json !== true) for (const warning of warnings) terminal.err(`layoutfs: ${warning}\n`);
    assertListable(registry, name);
    const area = onlyArea(registry, name);
    const prices = await pricesFor(area.store.name, own);
    const progress = new Progress(terminal);
    const shown = { total: { digests: 0, bytes: 0 }, since: performance.now() };
    return untilInterrupted(async (signal) => {
      try {
        const session = await openSession({
          store: writableStore(area.store),
          root: area.root,
          tool: `layoutfs ${packageVersion()}`,
          concurrency,
          rate,
          ignoreUploads: own.ignoreUploads === true,
          takeOver: own.takeOver === true,
          isRootGiven: options.root !== undefined || options.zotConfig !== undefined,
          signal,
          onProgress: (stage: Stage) => {
            progress.show(describeStage(stage, shown.total, shown.since, terminal.columns));
          },
        });
        const proposal = await propose(session, name);
        const { plan, title, readers, command } = proposal;
        shown.total = { digests: plan.totals.digests, bytes: plan.totals.copiedBytes };
        shown.since = performance.now();
        progress.clear();
        const facts = { source: name, registry: registry.description, prices, concurrency, rate };
        if (own.json !== true)
          terminal.out(renderPlan(plan, { ...facts, title, readers, command, acts, all }));
        const report = acts ? await actOn(proposal, own) : undefined;
        progress.clear();
        if (own.json === true) {
          const { rate: limit, ...rest } = facts;
          const document = { format: 1, ...rest, ...(limit !== undefined && { rate: limit }) };
          terminal.out(`${JSON.stringify({ ...document, plan, report }, null, 2)}\n`);
        } else if (report !== undefined) terminal.out(renderReport(report, { prices, all }));
        return exitCode(plan, report);
      } finally {
        progress.clear();
      }
    });
  });
}

/**
 * How a plan is acted on, to be pasted into a shell.
 * @param words the command's own flags, as words of a shell
 */
export function actingLine(
  command: 'migrate' | 'rollback',
  words: readonly string[],
  { plan, source, options }: { plan: Plan; source: string; options: Options },
): string {
  const flags = [...words, '--apply', '--registry-stopped', '--plan', plan.id];
  return ['layoutfs', command, ...flags, ...registryFlags(options), shellWord(source)].join(' ');
}

/** @throws RefusedError, and what acting throws */
async function actOn({ plan, act }: Proposal, own: ActingOptions): Promise<Report> {
  if (own.plan !== undefined && own.plan !== plan.id) {
    throw new Error(
      `The bucket is not as the plan ${own.plan} saw it: an index.json changed since (it is now ` +
        `${plan.id}). See that nothing pushes to this registry, and plan again.`,
    );
  }
  return act();
}

function exitCode(plan: Plan, report: Report | undefined): ExitCode {
  if (report === undefined) return plan.blockers.length > 0 ? EXIT.failed : EXIT.done;
  const { finished, skipped, kept } = report;
  return finished && skipped.length === 0 && kept.length === 0 ? EXIT.done : EXIT.failed;
}

/** @throws UsageError where there is not exactly one zot registry */
function onlyArea({ areas }: Registry, name: string) {
  const [area, ...others] = areas;
  if (area === undefined || others.length > 0) {
    throw new UsageError(
      `${name} has ${areas.length} stores: name one of them as the source, and one after the other.`,
    );
  }
  if (area.kind !== 'zot') {
    throw new UsageError('Only the blobs of a zot registry can be moved, not plain layouts.');
  }
  return area;
}
