import { formatByteSize } from '../config/byte-size.js';
import type { CheckReport, CorruptObject, DamagedBlob } from '../migrate/check/report.js';
import { describeBlob, nameOf } from './blob-lines.js';
import { commandLine } from './command-hint.js';
import { count, type ReportSection, renderSections, someOf } from './report-section.js';

export interface CheckOutputOptions {
  /** Show every entry of every list. */
  readonly all: boolean;
  readonly colours: boolean;
  /** Words that lines to be pasted need, to be about the same registry. */
  readonly flags: readonly string[];
}

/** The report for people: numbers, groups with what to do about each, and the verdict last. */
export function renderCheck(report: CheckReport, options: CheckOutputOptions): string {
  const sections = [
    ...damageSections(report, options),
    ...warningSections(report, options),
    ...noteSections(report, options),
  ];
  const parts = [renderTotals(report), renderSections(sections, options), renderVerdict(report)];
  return parts.filter((part) => part !== '').join('\n');
}

function renderTotals({ registry, totals }: CheckReport): string {
  const { repositories, digests, contents, contentBytes, placeholders } = totals;
  const { referenced, referencedBytes, hashed, hashedBytes, keys } = totals;
  return [
    `This is ${registry}.\n`,
    `${count(repositories, 'repository', 'repositories')} ${repositories === 1 ? 'refers' : 'refer'} to ${count(referenced, 'blob', 'blobs')} of ${formatByteSize(referencedBytes)}.\n`,
    `${count(keys, 'object', 'objects')} stored: ${count(contents, 'blob object', 'blob objects')} of ${formatByteSize(contentBytes)} (${count(digests, 'digest', 'digests')}), ${count(placeholders, 'placeholder', 'placeholders')}.\n`,
    `${count(hashed, 'blob object', 'blob objects')} read and hashed (${formatByteSize(hashedBytes)}).\n`,
  ].join('');
}

function damageSections(
  { source, damage }: CheckReport,
  { all, flags }: CheckOutputOptions,
): ReportSection[] {
  const push = 'Push the images again that need them; until then they cannot be pulled whole.';
  return [
    section('bad', damage.unreadable, {
      title: (n) => `${count(n, 'repository', 'repositories')} cannot be read`,
      advice: 'Nothing is known of what they need: mend access or push to them, then check again.',
      entry: ({ repository, reason }) => [`${nameOf(repository)}: ${reason}`],
    }),
    section('bad', damage.unresolved, {
      title: (n) => `${count(n, 'blob is', 'blobs are')} lost (only empty objects are left)`,
      advice: push,
      entry: (blob) => describeBlob(blob, all),
    }),
    section('bad', damage.missing, {
      title: (n) => `${count(n, 'blob is', 'blobs are')} lost (no object is stored)`,
      advice: push,
      entry: (blob) => describeBlob(blob, all),
    }),
    section('bad', damage.misplaced, {
      title: (n) => `${count(n, 'blob is', 'blobs are')} stored, but not where readers look`,
      advice: `To copy them there: ${commandLine('repair', source, ...flags)}`,
      entry: (blob) => [...describeBlob(blob, all), ...describeObjects(blob, all)],
    }),
    section('bad', damage.wrongSize, {
      title: (n) => `${count(n, 'blob has', 'blobs have')} another length than images claim`,
      advice: push,
      entry: (blob) => [...describeBlob(blob, all), ...describeObjects(blob, all)],
    }),
    section('bad', damage.corrupt, {
      title: (n) => `${count(n, 'object does', 'objects do')} not hash to its name`,
      advice: 'Delete those with another right copy; push the images again that need the others.',
      entry: (object) => describeCorrupt(object, all),
    }),
    section('bad', damage.unread, {
      title: (n) => `${count(n, 'object', 'objects')} could not be read`,
      advice: 'Readers of these blobs will fare no better: mend access, then check again.',
      entry: ({ key, reason }) => [key, `  ${reason}`],
    }),
  ].flat();
}

function strangeKeys({ count: n, examples }: CheckReport['warnings']['strangeKeys']) {
  if (n === 0) return [];
  const more = n - examples.length;
  const section: ReportSection = {
    state: 'warn',
    title: `${count(n, 'key is', 'keys are')} of no form that registries write`,
    advice: 'Nothing reads them.',
    entries: [
      ...examples.map((key) => [JSON.stringify(key)]),
      ...(more > 0 ? [[`and ${count(more, 'more')}, which are not kept`]] : []),
    ],
  };
  return [section];
}

function warningSections(
  { source, warnings }: CheckReport,
  { all, flags }: CheckOutputOptions,
): ReportSection[] {
  return [
    section('warn', warnings.atRisk, {
      title: (n) =>
        `${count(n, 'digest is', 'digests are')} at risk, for a restart of zot with dedupe on may empty every copy`,
      advice: `Before zot is restarted: ${commandLine('repair', source, ...flags, '--protect')}`,
      entry: ({ digest, size, placeholder, content, repositories }) => [
        `${digest}  ${formatByteSize(size)}`,
        `  empty at ${placeholder}`,
        `  bytes at ${content}`,
        `  in ${someOf(repositories.map(nameOf), all)}`,
      ],
    }),
    section('warn', warnings.migrations, {
      title: (n) => `${count(n, 'sign', 'signs')} of a migration that is not through`,
      entry: ({ message, advice, keys }) => [
        message,
        `  ${advice}`,
        ...(keys.length === 0 ? [] : [`  ${someOf(keys, all, 2)}`]),
      ],
    }),
    section('warn', warnings.documents, {
      title: (n) => `${count(n, 'document', 'documents')} may refer to more than is known`,
      advice: 'So nothing is called unreferenced.',
      entry: ({ digest, repositories, reason }) => [
        digest ?? 'index.json',
        `  ${reason}`,
        `  in ${someOf(repositories.map(nameOf), all)}`,
      ],
    }),
    section('warn', warnings.unhashed, {
      title: (n) => `${count(n, 'object', 'objects')} could not be read`,
      entry: ({ key, reason }) => [key, `  ${reason}`],
    }),
    section('warn', warnings.corruptUnreferenced, {
      title: (n) =>
        `${count(n, 'object that no image needs does', 'objects that no image needs do')} not hash to its name`,
      entry: (object) => describeCorrupt(object, all),
    }),
    section('warn', warnings.incomplete, {
      title: (n) =>
        `${count(n, 'directory holds', 'directories hold')} blobs, but lacks index.json or oci-layout`,
      advice: 'No registry lists them. If they once were repositories, restore those two files.',
      entry: (directory) => [nameOf(directory)],
    }),
    section('warn', warnings.shadowed, {
      title: (n) => `${count(n, 'repository', 'repositories')} cannot be shown by a mount`,
      advice: "Another repository's blobs, index.json or oci-layout is in their place.",
      entry: (repository) => [nameOf(repository)],
    }),
    strangeKeys(warnings.strangeKeys),
  ].flat();
}

function noteSections(
  { source, notes }: CheckReport,
  { flags }: CheckOutputOptions,
): ReportSection[] {
  const { unreferenced, leftBehind = 0, duplicates, resolvedPlaceholders } = notes;
  const { foreign, unfinishedUploads } = notes;
  const notable: ReportSection[] = [];
  const note = (number: number, title: string, advice?: string) => {
    if (number === 0) return;
    notable.push({ state: 'note', title, entries: [], ...(advice !== undefined && { advice }) });
  };
  if (unreferenced !== undefined) {
    note(
      unreferenced.objects,
      `${count(unreferenced.objects, 'object', 'objects')} of ${formatByteSize(unreferenced.bytes)} that no repository refers to`,
      `To delete them: ${commandLine('gc', source, ...flags)}`,
    );
  }
  note(
    leftBehind,
    `${count(leftBehind, 'object', 'objects')} in repositories that need them no more, while others do`,
  );
  note(
    duplicates.objects,
    `${count(duplicates.digests, 'digest is', 'digests are')} stored more than once; that takes ${formatByteSize(duplicates.wastedBytes)}`,
  );
  note(
    resolvedPlaceholders,
    `${count(resolvedPlaceholders, 'placeholder stands', 'placeholders stand')} for bytes in other repositories; layoutfs and the registry's own database find those`,
  );
  note(
    foreign,
    `${count(foreign, 'blob is', 'blobs are')} rightly absent, as foreign layers may be`,
  );
  note(
    unfinishedUploads.objects,
    `${count(unfinishedUploads.objects, 'object', 'objects')} of ${formatByteSize(unfinishedUploads.bytes)} in unfinished uploads`,
  );
  return notable;
}

function renderVerdict({ verdict, damage, warnings }: CheckReport): string {
  if (verdict === 'sound') return 'All that images need is there.\n';
  const warned = count(countOf(warnings), 'warning', 'warnings');
  if (verdict === 'warnings') return `All that images need is there; ${warned}.\n`;
  return `Damaged: ${count(countOf(damage), 'problem', 'problems')}, ${warned}.\n`;
}

/** The number of findings in all lists. */
function countOf(found: CheckReport['damage'] | CheckReport['warnings']): number {
  const lists: readonly (readonly unknown[] | { readonly count: number })[] = Object.values(found);
  return lists.reduce((sum, list) => sum + ('count' in list ? list.count : list.length), 0);
}

function section<T>(
  state: ReportSection['state'],
  found: readonly T[],
  {
    title,
    advice,
    entry,
  }: { title: (n: number) => string; advice?: string; entry: (one: T) => readonly string[] },
): ReportSection[] {
  if (found.length === 0) return [];
  return [
    {
      state,
      title: title(found.length),
      ...(advice !== undefined && { advice }),
      entries: found.map(entry),
    },
  ];
}

function describeObjects({ objects }: DamagedBlob, all: boolean): string[] {
  const shown = objects.map(({ key, size }) => `${key} (${formatByteSize(size)})`);
  return shown.length === 0 ? [] : [`  stored: ${someOf(shown, all, 2)}`];
}

function describeCorrupt(object: CorruptObject, all: boolean): string[] {
  const { key, actual, otherCopyIsRight, repositories } = object;
  return [
    key,
    `  hashes to ${actual}${otherCopyIsRight ? '; another copy is right' : ''}`,
    ...(repositories.length === 0 ? [] : [`  in ${someOf(repositories.map(nameOf), all)}`]),
  ];
}
