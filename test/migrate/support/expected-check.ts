import { expect } from 'vitest';
import type { CheckReport, DamagedBlob } from '../../../src/migrate/check/report.js';
import type { ExpectedRepository } from '../../fixtures/unpack.js';

type Expected = Readonly<Record<string, ExpectedRepository>>;

/** Compare a report on one of the fixtures with what the fixture is known to hold. */
export function expectTruth(report: CheckReport, expected: Expected): void {
  const names = Object.keys(expected);
  const { damage, notes, totals } = report;
  expect(totals.repositories).toBe(names.length);
  const lost = Object.fromEntries(
    names.map((name) => [name, lacks([...damage.missing, ...damage.unresolved], name)]),
  );
  expect(lost).toEqual(mapValues(expected, (one) => [...one.lost].sort()));
  expect(damage).toMatchObject({ unreadable: [], misplaced: [], wrongSize: [], corrupt: [] });
  const named = all(expected, (one) => [...Object.keys(one.sizes), ...one.foreign]);
  expect(totals.referenced).toBe(new Set(named).size);
  expect(notes.foreign).toBe(new Set(all(expected, (one) => one.foreign)).size);
  // `extra` leaves out placeholders of what is lost.
  const extra = all(expected, ({ extra: own, placeholders, sizes }) => [
    ...new Set([...own, ...placeholders.filter((digest) => !(digest in sizes))]),
  ]);
  const referenced = new Set(all(expected, (one) => Object.keys(one.sizes)));
  const inRepositories = extra.filter((digest) => !referenced.has(digest)).length;
  expect(notes.leftBehind).toBe(extra.length - inRepositories);
  const unreferenced = new Set<string>(notes.unreferenced?.list.map(({ digest }) => digest));
  for (const digest of extra) expect(unreferenced.has(digest)).toBe(!referenced.has(digest));
  for (const digest of unreferenced) expect(referenced.has(digest)).toBe(false);
}

function lacks(blobs: readonly DamagedBlob[], name: string): string[] {
  return blobs
    .filter(({ repositories }) => repositories.some(({ repository }) => repository === name))
    .map(({ digest }) => digest as string)
    .sort();
}

function all(
  expected: Expected,
  pick: (one: ExpectedRepository) => readonly string[],
): readonly string[] {
  return Object.values(expected).flatMap(pick);
}

function mapValues<T, R>(
  object: Readonly<Record<string, T>>,
  map: (value: T) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
