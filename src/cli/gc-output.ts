import { formatByteSize } from '../config/byte-size.js';
import type { CollectionReport } from '../migrate/gc/report.js';
import { commandLine } from './command-hint.js';
import { describeRequests, formatDollars } from './cost-format.js';
import { count, type ReportSection, renderSections } from './report-section.js';

/** What would be deleted or was deleted, for people. */
export function renderCollection(
  report: CollectionReport,
  options: {
    readonly all: boolean;
    readonly colours: boolean;
    /** Words that lines to be pasted need, to be about the same registry. */
    readonly flags: readonly string[];
  },
): string {
  const parts = [
    `This is ${report.registry}.\n`,
    renderSections(sectionsOf(report), options),
    renderEnd(report, options.flags),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function sectionsOf({ blockers, warnings, garbage, digests, bytes, kept, done }: CollectionReport) {
  const sections: ReportSection[] = [];
  if (blockers.length > 0) {
    sections.push({
      state: 'bad',
      title: 'Nothing may be deleted',
      entries: blockers.map((blocker) => [blocker]),
    });
  }
  if (garbage.length > 0 && done === undefined) {
    sections.push({
      state: 'warn',
      title: `${count(garbage.length, 'object', 'objects')} of ${formatByteSize(bytes)} (${count(digests, 'digest', 'digests')}) that no index reaches`,
      entries: garbage.map(({ key, size }) => [`${key}  ${formatByteSize(size)}`]),
    });
  }
  if (done === undefined) {
    for (const warning of warnings) {
      sections.push({ state: 'warn', title: warning.replace(/\.$/, ''), entries: [] });
    }
  }
  if (done !== undefined && done.refused.length > 0) {
    sections.push({
      state: 'bad',
      title: `${count(done.refused.length, 'object', 'objects')} could not be deleted`,
      entries: done.refused.map(({ key, reason }) => [key, `  ${reason}`]),
    });
  }
  if (done !== undefined && done.changed.length > 0) {
    sections.push({
      state: 'warn',
      title: `${count(done.changed.length, 'object', 'objects')} changed meanwhile and stayed`,
      entries: done.changed.map((key) => [key]),
    });
  }
  if (kept.incomplete > 0) {
    sections.push({
      state: 'note',
      title: `${count(kept.incomplete, 'object', 'objects')} kept, since the same blobs are in directories without an index.json: they may be repositories that lost theirs`,
      entries: [],
    });
  }
  return sections;
}

function renderEnd(report: CollectionReport, flags: readonly string[]): string {
  const { source, blockers, objects, done, requests, dollars, dollarsPerMonth } = report;
  const asked = `${describeRequests(requests)}: ${formatDollars(dollars)}`;
  if (done !== undefined) {
    const stopped = done.stopped === undefined ? '' : `It ended early. ${done.stopped}\n`;
    return `Deleted ${count(done.objects, 'object', 'objects')} of ${formatByteSize(done.bytes)}.\n${stopped}It took ${asked}.\n`;
  }
  if (blockers.length > 0) return 'Nothing was deleted.\n';
  if (objects === 0) return 'There is nothing to delete.\n';
  return [
    `They cost ${formatDollars(dollarsPerMonth)} a month. Finding them took ${asked}.\n`,
    `Nothing was deleted. When the registry is stopped: ${commandLine('gc', source, ...flags, '--apply', '--registry-stopped')}\n`,
  ].join('');
}
