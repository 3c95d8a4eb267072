import type { Options } from '../config/options.js';
import { UsageError } from '../config/usage-error.js';
import {
  collect,
  type Collected,
  type CollectionPlan,
  planCollection,
  requestsOf,
} from '../migrate/gc/collect.js';
import type { CollectionProgress } from '../migrate/gc/reach.js';
import type { CollectionDone, CollectionReport } from '../migrate/gc/report.js';
import { costOf, monthly, type Prices } from '../migrate/plan/prices.js';
import { sum } from '../migrate/run/requests.js';
import type { RegistryArea } from '../registry/registry.js';
import { concurrencyOf, mayAct } from './acting-options.js';
import { pricesFor } from './acting-prices.js';
import { actingStore } from './acting-store.js';
import { registryFlags } from './command-hint.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { CollectionFlags } from './gc-command.js';
import { renderCollection } from './gc-output.js';
import { untilInterrupted } from './interrupted.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';
import { assertListable } from './source-operands.js';
import { withSource } from './with-source.js';

export interface CollectionRequest extends CommandContext {
  readonly source: string | undefined;
  readonly options: Options;
  readonly flags: CollectionFlags;
}

/**
 * Run the command.
 * @throws UsageError, ChangeRefusedError, LockedError, and what opening and listing the source throws
 */
export async function gc(request: CollectionRequest): Promise<ExitCode> {
  const { source, options, flags, terminal } = request;
  const { json = false, all = false } = flags;
  const apply = mayAct(flags);
  if (options.include.length + options.exclude.length > 0) {
    throw new UsageError(
      'gc looks at every repository, for a blob of one may be needed by any: leave --include and ' +
        '--exclude out.',
    );
  }
  return withSource(source, options, terminal, async ({ registry, name, warnings }) => {
    if (!json) for (const warning of warnings) terminal.err(`layoutfs: ${warning}\n`);
    assertListable(registry, name);
    const prices = await Promise.all(
      registry.areas.map((area) => pricesFor(area.store.name, flags)),
    );
    const { plan, done } = await untilInterrupted((signal) =>
      planAndCollect(request, registry.areas, apply, signal),
    );
    const report: CollectionReport = {
      format: 1,
      source: name,
      registry: registry.description,
      ...summarise(plan, prices),
      ...(done.length > 0 && { done: addUp(plan, prices, done) }),
    };
    const look = { all, colours: terminal.colours, flags: registryFlags(options) };
    terminal.out(json ? `${JSON.stringify(report, null, 2)}\n` : renderCollection(report, look));
    const { blockers, done: { stopped, changed = [], refused = [] } = {} } = report;
    const isWhole = stopped === undefined && changed.length + refused.length === 0;
    return blockers.length === 0 && isWhole ? EXIT.done : EXIT.failed;
  });
}

async function planAndCollect(
  { terminal, flags }: CollectionRequest,
  areas: readonly RegistryArea[],
  apply: boolean,
  signal: AbortSignal,
): Promise<{ plan: CollectionPlan; done: Collected[] }> {
  const { ignoreUploads = false, takeOver = false } = flags;
  const progress = new Progress(terminal);
  const tell = (how: CollectionProgress) => progress.show(describeProgress(how));
  const common = { concurrency: concurrencyOf(flags), ignoreUploads, signal };
  const done: Collected[] = [];
  try {
    const stores = areas.map((area) => ({ area, store: actingStore(area, flags, signal) }));
    const plan = await planCollection(stores, { ...common, onProgress: tell });
    if (!apply || plan.blockers.length > 0) return { plan, done };
    const total = plan.areas.reduce((count, area) => count + objectsOf(area).length, 0);
    for (const area of plan.areas) {
      const before = done.reduce((count, { objects }) => count + objects, 0);
      const onDeleted = (objects: number) =>
        tell({ stage: 'delete', objects: before + objects, total });
      done.push(await collect(area, { ...common, takeOver, onDeleted }));
    }
    return { plan, done };
  } finally {
    progress.clear();
  }
}

type AreaGarbage = CollectionPlan['areas'][number];

function objectsOf({ digests, survey }: AreaGarbage): CollectionReport['garbage'] {
  return digests.flatMap(({ digest, copies }) =>
    copies.map(({ key, size }) => ({ digest, key: survey.root + key, size })),
  );
}

/** The prices of an area, by its place in the plan. */
type PricesOf = readonly Prices[];

function summarise(
  plan: CollectionPlan,
  prices: PricesOf,
): Omit<CollectionReport, 'format' | 'source' | 'registry' | 'done'> {
  const { blockers } = plan;
  const areas = blockers.length === 0 ? plan.areas : [];
  const garbage = areas.flatMap(objectsOf);
  return {
    blockers,
    warnings: garbage.length > 0 ? plan.warnings : [],
    digests: areas.reduce((count, { digests }) => count + digests.length, 0),
    objects: garbage.length,
    bytes: bytesOf(garbage),
    garbage,
    kept: { incomplete: plan.areas.reduce((count, { incomplete }) => count + incomplete, 0) },
    requests: sum(...requestsOf(plan)),
    dollars: dollarsOf(plan, prices),
    dollarsPerMonth: areas.reduce((all, area, position) => {
      const price = prices[position];
      return price === undefined ? all : all + monthly(bytesOf(objectsOf(area)), price);
    }, 0),
  };
}

function addUp(plan: CollectionPlan, prices: PricesOf, done: readonly Collected[]): CollectionDone {
  const stopped = done.map((one) => one.stopped).find((reason) => reason !== undefined);
  return {
    objects: done.reduce((count, { objects }) => count + objects, 0),
    bytes: done.reduce((count, { bytes }) => count + bytes, 0),
    changed: done.flatMap(({ changed }) => changed),
    refused: done.flatMap(({ refused }) => refused),
    ...(stopped !== undefined && { stopped }),
    requests: sum(...requestsOf(plan)),
    dollars: dollarsOf(plan, prices),
  };
}

function dollarsOf(plan: CollectionPlan, prices: PricesOf): number {
  return requestsOf(plan).reduce((all, requests, position) => {
    const price = prices[position];
    return price === undefined ? all : all + costOf(requests, price);
  }, 0);
}

const bytesOf = (objects: CollectionReport['garbage']) =>
  objects.reduce((bytes, { size }) => bytes + size, 0);

function describeProgress(progress: CollectionProgress): string {
  switch (progress.stage) {
    case 'list':
      return `${progress.keys} keys listed`;
    case 'follow':
      return `${progress.documents} documents read`;
    case 'delete':
      return `${progress.objects} of ${progress.total} objects deleted`;
  }
}
