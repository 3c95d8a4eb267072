import { formatByteSize } from '../config/byte-size.js';
import type { Report } from '../migrate/act.js';
import { ASSUMED, estimateSeconds } from '../migrate/plan/duration.js';
import type { Plan } from '../migrate/plan/plan.js';
import { costOf, monthly, type Prices } from '../migrate/plan/prices.js';
import { requestCount, type Requests, type Skipped } from '../migrate/run/requests.js';
import { describeRequests, formatDollars } from './cost-format.js';
import { formatSeconds } from './progress-bar.js';
import { printable, printableLine } from './printable.js';
import { count, renderSections, type ReportSection } from './report-section.js';

export interface PlanFacts {
  readonly source: string;
  readonly registry: string;
  readonly title: string;
  readonly readers: readonly string[];
  readonly command: string;
  readonly prices: Prices;
  readonly concurrency: number;
  readonly rate: number | undefined;
  readonly acts: boolean;
  /** Whole lists. */
  readonly all: boolean;
}

/** A plan for people. */
export function renderPlan(plan: Plan, facts: PlanFacts): string {
  const { totals, blockers, warnings } = plan;
  const { prices, acts, all } = facts;
  const rows: [string, string][] = [
    [
      'copy',
      `${count(totals.copies, 'blob', 'blobs')}, ${formatByteSize(totals.copiedBytes)}, within the store`,
    ],
    ...(totals.placeholders > 0
      ? [['empty', count(totals.placeholders, 'placeholder', 'placeholders')] as [string, string]]
      : []),
    ['delete', `${deletions(plan)}, ${formatByteSize(totals.freedBytes)}`],
    ...(totals.idle === 0 ? [] : [['leave', inPlace(totals.idle)] as [string, string]]),
    ['verify', verification(plan)],
    [
      'requests',
      `${describeRequests(plan.requests)}: ${formatDollars(costOf(plan.requests, prices))}`,
    ],
    [
      'time',
      `about ${formatSeconds(estimateSeconds(plan.requests, totals.copiedBytes, facts))} (${assumptions(facts)})`,
    ],
    ['storage', storage(plan, prices)],
    ...(plan.rollback === undefined
      ? []
      : [['rollback', rollbackCost(plan.rollback, prices)] as [string, string]]),
    ['prices', prices.name],
    ['readable by', facts.readers.join('; ')],
  ];
  const nothing = totals.digests === 0 && plan.resumes === undefined;
  const head =
    `${facts.registry}\n` +
    `${count(plan.repositories, 'repository', 'repositories')}, ${count(plan.blobs, 'blob', 'blobs')}, ` +
    `${count(plan.keys, 'key', 'keys')}, ${formatByteSize(plan.bytes)}\n\n${facts.title}:\n`;
  const body = nothing ? '  nothing to do\n' : table(rows);
  const sections: ReportSection[] = [
    ...blockers.map((title): ReportSection => bare('bad', title)),
    ...warnings.map((title): ReportSection => bare('warn', title)),
    ...skippedSection(totals.skipped, ['will be left as it is', 'will be left as they are']),
  ];
  const told =
    sections.length === 0 ? '' : `\n${renderSections(sections, { all, colours: false })}`;
  const next = acts || nothing || blockers.length > 0 ? '' : `\nTo do it: ${facts.command}\n`;
  return printable(head) + body + told + printable(next);
}

/** What came of acting, for people. */
export function renderReport(
  report: Report,
  { prices, all }: Pick<PlanFacts, 'prices' | 'all'>,
): string {
  const { settled, skipped, kept, refused, finished, run, requests } = report;
  const sections: ReportSection[] = [
    ...skippedSection(skipped, ['was left as it is', 'were left as they are']),
    ...(kept.length === 0
      ? []
      : [
          {
            state: 'warn' as const,
            title: `${count(kept.length, 'object was', 'objects were')} left, with other bytes than the name says`,
            entries: kept.map(({ key }) => [key]),
          },
        ]),
    ...(refused.length === 0
      ? []
      : [
          {
            state: 'bad' as const,
            title: `${count(refused.length, 'object', 'objects')} could not be deleted, so the run stopped`,
            advice: 'Nothing is lost. Grant the permission, and run the same command again',
            entries: refused.map(({ key, error }) => [`${key}: ${error.message}`]),
          },
        ]),
  ];
  const state = run === undefined ? 'Nothing to do' : finished ? 'Done' : 'Not finished';
  const name = run === undefined ? '' : ` (run ${run})`;
  return (
    `\n${state}${printableLine(name)}: ${count(settled, 'blob', 'blobs')} in place and verified, ` +
    `${describeRequests(requests)}: ${formatDollars(costOf(requests, prices))}\n` +
    (sections.length === 0 ? '' : `\n${renderSections(sections, { all, colours: false })}`)
  );
}

/** Sections end their titles with a full stop of their own. */
const bare = (state: ReportSection['state'], sentence: string): ReportSection => ({
  state,
  title: sentence.replace(/\.$/, ''),
  entries: [],
});

function skippedSection(
  skipped: readonly Skipped[],
  [one, several]: readonly [string, string],
): ReportSection[] {
  if (skipped.length === 0) return [];
  return [
    {
      state: 'warn',
      title: count(skipped.length, `blob ${one}`, `blobs ${several}`),
      ...(skipped.some(({ passing }) => passing === true) && {
        advice: 'Where the store refused: grant the permission, and run the same command again',
      }),
      entries: skipped.map(({ digest, reason }) => [digest, `  ${reason}`]),
    },
  ];
}

const inPlace = (idle: number): string =>
  `${count(idle, 'blob', 'blobs')} that ${idle === 1 ? 'needs' : 'need'} nothing`;

function deletions({ totals }: Plan): string {
  const { deletedContent, deletedPlaceholders } = totals;
  return `${count(deletedContent, 'copy', 'copies')} and ${count(deletedPlaceholders, 'placeholder', 'placeholders')}`;
}

function verification({ totals, requests }: Plan): string {
  if (totals.digests === 0) return 'nothing';
  if (totals.readBack === 0) return "by the store's own checksums";
  return (
    `${count(totals.readBack, 'blob', 'blobs')} by reading ${formatByteSize(requests.bytesRead)} back` +
    (totals.readBack < totals.digests ? ", the others by the store's checksums" : '')
  );
}

function storage({ bytes, bytesAfter }: Plan, prices: Prices): string {
  const change = bytesAfter - bytes;
  if (change === 0) return `${formatByteSize(bytes)}, as before`;
  const sign = change < 0 ? '-' : '+';
  const each = monthly(Math.abs(change), prices);
  return (
    `${formatByteSize(bytes)} becomes ${formatByteSize(bytesAfter)} ` +
    `(${sign}${formatByteSize(Math.abs(change))}` +
    (each === 0 ? ')' : `, ${sign}${formatDollars(each)} a month)`)
  );
}

function rollbackCost(requests: Requests, prices: Prices): string {
  return `${count(requestCount(requests), 'request', 'requests')}: ${formatDollars(costOf(requests, prices))}, by the journal`;
}

function assumptions({ concurrency, rate }: PlanFacts): string {
  return (
    `${concurrency} at once, ${ASSUMED.requestMs} ms a request, ` +
    `${formatByteSize(ASSUMED.readRate)}/s` +
    (rate === undefined ? '' : `, at most ${rate} requests a second`)
  );
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}\n`).join('');
}
