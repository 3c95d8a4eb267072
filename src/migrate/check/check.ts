import type { RegistryArea } from '../../registry/registry.js';
import { type AreaFindings, checkArea, type CheckAreaOptions } from './check-area.js';
import type { CheckReport, Duplicates, Unreferenced, Verdict } from './report.js';

export type CheckFindings = Omit<CheckReport, 'source' | 'registry' | 'format'> & {
  /** Repositories that were looked at, or could not be read. */
  readonly repositories: readonly string[];
};

/**
 * Check every area of a registry, one after the other.
 * @throws StoreError when a store refuses to list, or fails altogether
 */
export async function checkRegistry(
  areas: readonly RegistryArea[],
  options: CheckAreaOptions,
): Promise<CheckFindings> {
  const found: AreaFindings[] = [];
  for (const area of areas) found.push(await checkArea(area, options));
  const damage: CheckReport['damage'] = {
    unreadable: found.flatMap((one) => one.damage.unreadable),
    missing: found.flatMap((one) => one.damage.missing),
    unresolved: found.flatMap((one) => one.damage.unresolved),
    misplaced: found.flatMap((one) => one.damage.misplaced),
    wrongSize: found.flatMap((one) => one.damage.wrongSize),
    corrupt: found.flatMap((one) => one.damage.corrupt),
    unread: found.flatMap((one) => one.damage.unread),
  };
  const warnings: CheckReport['warnings'] = {
    atRisk: found.flatMap((one) => one.warnings.atRisk),
    migrations: found.flatMap((one) => one.warnings.migrations),
    documents: found.flatMap((one) => one.warnings.documents),
    corruptUnreferenced: found.flatMap((one) => one.warnings.corruptUnreferenced),
    unhashed: found.flatMap((one) => one.warnings.unhashed),
    incomplete: found.flatMap((one) => one.warnings.incomplete),
    shadowed: found.flatMap((one) => one.warnings.shadowed),
    strangeKeys: {
      count: sum(found, (one) => one.warnings.strangeKeys.count),
      examples: found.flatMap((one) => one.warnings.strangeKeys.examples),
    },
  };
  return {
    repositories: found.flatMap((one) => one.repositories),
    verdict: verdictOf(damage, warnings),
    totals: addTotals(found.map(({ totals }) => totals)),
    damage,
    warnings,
    notes: addNotes(found.map(({ notes }) => notes)),
  };
}

function verdictOf(damage: CheckReport['damage'], warnings: CheckReport['warnings']): Verdict {
  const { strangeKeys, ...rest } = warnings;
  const isEmpty = (lists: readonly (readonly unknown[])[]) =>
    lists.every((list) => list.length === 0);
  if (!isEmpty(Object.values(damage))) return 'damaged';
  return strangeKeys.count === 0 && isEmpty(Object.values(rest)) ? 'sound' : 'warnings';
}

function sum<T>(list: readonly T[], number: (one: T) => number): number {
  return list.reduce((total, one) => total + number(one), 0);
}

type Totals = CheckReport['totals'];
type Notes = CheckReport['notes'];

function addTotals(all: readonly Totals[]): Totals {
  return {
    repositories: sum(all, (one) => one.repositories),
    keys: sum(all, (one) => one.keys),
    digests: sum(all, (one) => one.digests),
    contents: sum(all, (one) => one.contents),
    contentBytes: sum(all, (one) => one.contentBytes),
    placeholders: sum(all, (one) => one.placeholders),
    referenced: sum(all, (one) => one.referenced),
    referencedBytes: sum(all, (one) => one.referencedBytes),
    hashed: sum(all, (one) => one.hashed),
    hashedBytes: sum(all, (one) => one.hashedBytes),
  };
}

/** What is not known of one area is not known of all. */
function addNotes(all: readonly Notes[]): Notes {
  const unreferenced = all.map((one) => one.unreferenced).filter((one) => one !== undefined);
  const leftBehind = all.map((one) => one.leftBehind).filter((one) => one !== undefined);
  return {
    ...(unreferenced.length === all.length && { unreferenced: addUnreferenced(unreferenced) }),
    ...(leftBehind.length === all.length && { leftBehind: sum(leftBehind, (one) => one) }),
    duplicates: addDuplicates(all.map((one) => one.duplicates)),
    resolvedPlaceholders: sum(all, (one) => one.resolvedPlaceholders),
    foreign: sum(all, (one) => one.foreign),
    unfinishedUploads: {
      objects: sum(all, (one) => one.unfinishedUploads.objects),
      bytes: sum(all, (one) => one.unfinishedUploads.bytes),
    },
  };
}

function addUnreferenced(all: readonly Unreferenced[]): Unreferenced {
  return {
    digests: sum(all, (one) => one.digests),
    objects: sum(all, (one) => one.objects),
    bytes: sum(all, (one) => one.bytes),
    list: all.flatMap((one) => one.list),
  };
}

function addDuplicates(all: readonly Duplicates[]): Duplicates {
  return {
    digests: sum(all, (one) => one.digests),
    objects: sum(all, (one) => one.objects),
    wastedBytes: sum(all, (one) => one.wastedBytes),
    list: all.flatMap((one) => one.list),
  };
}
