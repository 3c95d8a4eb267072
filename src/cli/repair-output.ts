import { formatByteSize } from '../config/byte-size.js';
import type { RepairReport } from '../migrate/repair/report.js';
import { describeBlob } from './blob-lines.js';
import { commandLine } from './command-hint.js';
import { describeRequests, formatDollars } from './cost-format.js';
import { formatSeconds } from './progress-bar.js';
import { count, type ReportSection, renderSections, someOf } from './report-section.js';

/** What would be done or was done, for people. */
export function renderRepair(
  report: RepairReport,
  options: {
    readonly all: boolean;
    readonly colours: boolean;
    /** Words that lines to be pasted need, to be about the same registry. */
    readonly flags: readonly string[];
  },
): string {
  const parts = [
    `This is ${report.registry}.\n`,
    renderSections(sectionsOf(report, options.all), options),
    renderEnd(report, options.flags),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function sectionsOf(report: RepairReport, all: boolean): ReportSection[] {
  const { copies, lost, unreadable, mode, done, plan } = report;
  const sections: ReportSection[] = [];
  if (unreadable.length > 0) {
    sections.push({
      state: 'bad',
      title: `${count(unreadable.length, 'repository', 'repositories')} cannot be read`,
      advice: 'Nothing is known of what they need.',
      entries: unreadable.map(({ repository, reason }) => [`${repository || '/'}: ${reason}`]),
    });
  }
  if (lost.length > 0) {
    sections.push({
      state: 'bad',
      title: `${count(lost.length, 'blob is', 'blobs are')} lost for good: nothing in the bucket has the bytes`,
      advice: 'Push the images again that need them.',
      entries: lost.map((blob) => describeBlob(blob, all)),
    });
  }
  if (copies.length > 0 && done === undefined) {
    const what = mode === 'protect' ? 'at risk' : 'to be refilled';
    sections.push({
      state: 'warn',
      title: `${count(plan.digests, 'digest', 'digests')} ${what}, by ${count(plan.objects, 'copy', 'copies')} of ${formatByteSize(plan.bytes)}`,
      entries: copies.map(({ digest, size, from, to }) => [
        `${digest}  ${formatByteSize(size)}`,
        `  from ${from}`,
        `  to   ${someOf(to, all, 2)}`,
      ]),
    });
  }
  if (done !== undefined && done.skipped.length > 0) {
    sections.push({
      state: 'bad',
      title: `${count(done.skipped.length, 'object was', 'objects were')} left as it was`,
      entries: done.skipped.map(({ key, reason }) => [key, `  ${reason}`]),
    });
  }
  return sections;
}

function renderEnd({ source, mode, plan, done }: RepairReport, flags: readonly string[]): string {
  if (done !== undefined) {
    const already =
      done.already === 0 ? '' : ` ${count(done.already, 'object', 'objects')} had theirs by then.`;
    return (
      `Copied ${count(done.filled, 'object', 'objects')} of ${formatByteSize(done.bytes)}, each verified.${already}\n` +
      `It took ${describeRequests(done.requests)}: ${formatDollars(done.dollars)}.\n`
    );
  }
  if (plan.objects === 0) return 'There is nothing to copy.\n';
  const { requests, dollars, dollarsPerMonth, seconds, prices } = plan.cost;
  const words = [...(mode === 'protect' ? ['--protect'] : []), '--apply', '--registry-stopped'];
  return [
    `The bucket grows by ${formatByteSize(plan.bytes)} (${formatDollars(dollarsPerMonth)} a month).\n`,
    `It takes ${describeRequests(requests)}: ${formatDollars(dollars)}.\n`,
    `${formatByteSize(requests.bytesRead)} are read here to verify the copies; about ${formatSeconds(seconds)} in all.\n`,
    `Prices: ${prices}.\n`,
    `Nothing was written. When the registry is stopped: ${commandLine('repair', source, ...flags, ...words)}\n`,
  ].join('');
}
