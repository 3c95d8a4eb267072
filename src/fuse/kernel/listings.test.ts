import { beforeEach, describe, expect, test } from 'vitest';
import type { DirectoryEntry, FileSystem } from '../../tree/file-system.js';
import { KernelInodes } from './kernel-inodes.js';
import { countBefore, Listings, positionAfter } from './listings.js';

/** The root of a file system whose entries are what the test says. */
const ROOT = 1;
let names: string[];
let asked: number;

const entry = (name: string, index: number): DirectoryEntry => ({
  name,
  attributes: { ino: 100 + index, kind: 'file', size: 0, permissions: 0o444, nlink: 1, mtime: 0 },
});

/** @param refreshMs how long the root is taken to be the same, in ms */
function listingsFor(refreshMs: number): Listings {
  const fileSystem = {
    readdir: () => {
      asked += 1;
      return Promise.resolve(names.map(entry));
    },
  } as unknown as FileSystem;
  return new Listings(fileSystem, new KernelInodes(fileSystem, refreshMs));
}

const namesOf = ({ entries }: { entries: readonly DirectoryEntry[] }) =>
  entries.map(({ name }) => name);

beforeEach(() => {
  names = ['a', 'b'];
  asked = 0;
});

describe('who has begun to read a listing', () => {
  test('goes on with it, though there is a newer one', async () => {
    const listings = listingsFor(0);
    const before = await listings.at(ROOT, 0);
    const position = positionAfter(before, 3);
    names = ['b', 'c'];
    const after = await listings.at(ROOT, 0);
    expect(namesOf(after)).toEqual(['b', 'c']);
    expect(await listings.at(ROOT, position)).toBe(before);
    expect(countBefore(position)).toBe(3);
    expect(await listings.at(ROOT, positionAfter(after, 1))).toBe(after);
  });

  test('is told when nobody knows it any more', async () => {
    const listings = listingsFor(0);
    const position = positionAfter(await listings.at(ROOT, 0), 1);
    listings.releaseAll();
    await expect(listings.at(ROOT, position)).rejects.toMatchObject({ code: 'EIO' });
  });
});

describe('who begins', () => {
  test('is given what is known, as long as that is fresh', async () => {
    const listings = listingsFor(60_000);
    const first = await listings.at(ROOT, 0);
    expect(listings.freshFor(ROOT)).toBeGreaterThan(50_000);
    names = ['c'];
    expect(await listings.at(ROOT, 0)).toBe(first);
    expect(asked).toBe(1);
    listings.expire(ROOT);
    expect(listings.freshFor(ROOT)).toBe(0);
    expect(namesOf(await listings.at(ROOT, 0))).toEqual(['c']);
  });

  test('shares the listing of others when nothing has changed', async () => {
    const listings = listingsFor(0);
    const first = await listings.at(ROOT, 0);
    expect(await listings.at(ROOT, 0)).toBe(first);
    expect(asked).toBe(2);
  });
});
