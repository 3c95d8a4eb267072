import type { Options } from '../config/options.js';
import { RepositoryFilter } from '../config/repository-filter.js';
import { estimateSeconds } from '../migrate/plan/duration.js';
import { costOf, monthly, type Prices } from '../migrate/plan/prices.js';
import {
  applyRepair,
  planRepair,
  type RepairOptions,
  type RepairPlan,
  type Repaired,
  type RepairProgress,
} from '../migrate/repair/repair.js';
import type { RepairDone, RepairReport } from '../migrate/repair/report.js';
import { sum } from '../migrate/run/requests.js';
import type { RegistryArea } from '../registry/registry.js';
import { concurrencyOf, mayAct, rateOf } from './acting-options.js';
import { pricesFor } from './acting-prices.js';
import { actingStore } from './acting-store.js';
import { registryFlags, shellWord } from './command-hint.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { untilInterrupted } from './interrupted.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';
import type { RepairFlags } from './repair-command.js';
import { renderRepair } from './repair-output.js';
import { assertExist, assertListable, chooseRepositories } from './source-operands.js';
import { withSource } from './with-source.js';

export interface RepairRequest extends CommandContext {
  /** Source and repositories; the source is absent with a zot configuration. */
  readonly operands: readonly string[];
  readonly options: Options;
  readonly flags: RepairFlags;
}

/**
 * Run the command.
 * @throws UsageError, ChangeRefusedError, LockedError, and what opening and listing the source throws
 */
export async function repair(request: RepairRequest): Promise<ExitCode> {
  const { options, terminal, flags } = request;
  const { json = false, all = false, protect = false } = flags;
  const apply = mayAct(flags);
  const concurrency = concurrencyOf(flags);
  const { source, repositories } = chooseRepositories(request.operands, options);
  return withSource(source, options, terminal, async ({ registry, name, warnings }) => {
    if (!json) for (const warning of warnings) terminal.err(`layoutfs: ${warning}\n`);
    assertListable(registry, name);
    const progress = new Progress(terminal);
    const plans: Planned[] = [];
    const done: Repaired[] = [];
    await untilInterrupted(async (signal) => {
      try {
        const optionsOf = optionsFrom(request, repositories, { signal, progress, concurrency });
        for (const area of registry.areas) {
          const prices = await pricesFor(area.store.name, flags);
          plans.push({ area, prices, plan: await planRepair(area, optionsOf(area)) });
        }
        assertExist(repositories, lookedAt(plans), name);
        const { ignoreUploads = false, takeOver = false } = flags;
        for (const { area, plan } of apply ? plans : []) {
          done.push(await applyRepair(plan, { ...optionsOf(area), ignoreUploads, takeOver }));
        }
      } finally {
        progress.clear();
      }
    });
    const report: RepairReport = {
      format: 1,
      source: name,
      registry: registry.description,
      mode: protect ? 'protect' : 'refill',
      ...summarise(plans, concurrency, rateOf(flags)),
      ...(apply && { done: addUp(plans, done) }),
    };
    const look = { all, colours: terminal.colours, flags: flagsOf(options, repositories) };
    terminal.out(json ? `${JSON.stringify(report, null, 2)}\n` : renderRepair(report, look));
    const { lost, unreadable, done: { skipped = [] } = {} } = report;
    return lost.length + unreadable.length + skipped.length > 0 ? EXIT.failed : EXIT.done;
  });
}

/** What a line to be pasted needs, to repair no more than was shown. */
function flagsOf(options: Options, repositories: readonly string[]): string[] {
  const { include, exclude } = options;
  return [
    ...repositories.map(shellWord),
    ...registryFlags(options),
    ...include.flatMap((pattern) => ['--include', shellWord(pattern)]),
    ...exclude.flatMap((pattern) => ['--exclude', shellWord(pattern)]),
  ];
}

/** What each area is repaired with. */
function optionsFrom(
  { options, flags }: RepairRequest,
  repositories: readonly string[],
  common: { signal: AbortSignal; progress: Progress; concurrency: number },
): (area: RegistryArea) => RepairOptions {
  const { signal, progress, concurrency } = common;
  const filter = new RepositoryFilter(options);
  const named = new Set(repositories);
  return (area) => ({
    store: actingStore(area, flags, signal),
    protect: flags.protect === true,
    accepts: (one) => filter.accepts(one) && (named.size === 0 || named.has(one)),
    concurrency,
    signal,
    onProgress: (how) => progress.show(describeProgress(how)),
  });
}

interface Planned {
  readonly area: RegistryArea;
  readonly prices: Prices;
  readonly plan: RepairPlan;
}

const lookedAt = (plans: readonly Planned[]) =>
  plans.flatMap(({ plan }) => [
    ...plan.repositories,
    ...plan.unreadable.map(({ repository }) => repository),
  ]);

function summarise(
  plans: readonly Planned[],
  concurrency: number,
  rate: number | undefined,
): Pick<RepairReport, 'plan' | 'copies' | 'lost' | 'unreadable'> {
  const requests = sum(...plans.flatMap(({ plan }) => [plan.spent, plan.forecast]));
  const bytes = total(plans, ({ plan }) => bytesOf(plan));
  return {
    plan: {
      digests: total(plans, ({ plan }) => plan.refills.length),
      objects: total(plans, ({ plan }) => objectsOf(plan)),
      bytes,
      cost: {
        requests,
        dollars: total(plans, ({ plan, prices }) => costOf(sum(plan.spent, plan.forecast), prices)),
        dollarsPerMonth: total(plans, ({ plan, prices }) => monthly(bytesOf(plan), prices)),
        seconds: estimateSeconds(requests, bytes, { concurrency, rate }),
        prices: [...new Set(plans.map(({ prices }) => prices.name))].join('; '),
      },
    },
    copies: plans.flatMap(({ plan: { survey, refills } }) =>
      refills.map(({ digest, size, sources, targets }) => ({
        digest,
        size,
        from: survey.root + (sources[0] ?? ''),
        to: targets.map(({ key }) => survey.root + key),
      })),
    ),
    lost: plans.flatMap(({ plan }) => plan.lost),
    unreadable: plans.flatMap(({ plan }) => plan.unreadable),
  };
}

function addUp(plans: readonly Planned[], done: readonly Repaired[]): RepairDone {
  const spent = plans.map(({ plan }, position) => sum(plan.spent, done[position]?.requests ?? {}));
  return {
    filled: done.reduce((all, { filled }) => all + filled.length, 0),
    bytes: done.reduce((all, { bytes }) => all + bytes, 0),
    already: done.reduce((all, { already }) => all + already.length, 0),
    skipped: done.flatMap(({ skipped }) => skipped),
    requests: sum(...spent),
    dollars: plans.reduce((all, { prices }, position) => {
      return all + costOf(sum(spent[position] ?? {}), prices);
    }, 0),
  };
}

const total = (plans: readonly Planned[], number: (one: Planned) => number) =>
  plans.reduce((all, one) => all + number(one), 0);

const objectsOf = ({ refills }: RepairPlan) =>
  refills.reduce((all, { targets }) => all + targets.length, 0);

const bytesOf = ({ refills }: RepairPlan) =>
  refills.reduce((all, { size, targets }) => all + size * targets.length, 0);

function describeProgress(progress: RepairProgress): string {
  switch (progress.stage) {
    case 'list':
      return `${progress.keys} keys listed`;
    case 'follow':
      return `${progress.documents} documents read`;
    case 'copy':
      return `${progress.objects} of ${progress.total} objects copied`;
  }
}
