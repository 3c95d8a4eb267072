import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { silentLog } from '../../observe/log.js';
import type { DirectoryEntry, FileSystem } from '../../tree/file-system.js';
import { NamePublisher } from './name-publisher.js';

const DIRECTORY = 7;
const timeouts = { entryTimeout: Infinity, attributeTimeout: Infinity };

let names: number;
let version: object;
let listed: number;
let published: number[];
let publisher: NamePublisher;
let settleTold: () => void;

const entryOf = (index: number): DirectoryEntry => ({
  name: `n${index}`,
  attributes: { ino: 1000 + index, kind: 'file', size: 1, permissions: 0o444, nlink: 1, mtime: 0 },
});

beforeEach(() => {
  names = 3;
  version = {};
  listed = 0;
  published = [];
  settleTold = () => undefined;
  const fileSystem: Pick<FileSystem, 'inHand' | 'readdir'> = {
    inHand: () => ({ version, freshFor: 1000, timeouts }),
    readdir: () => {
      listed += 1;
      return Promise.resolve(Array.from({ length: names }, (_, index) => entryOf(index)));
    },
  };
  publisher = new NamePublisher(fileSystem as FileSystem, {
    owner: { uid: 0, gid: 0 },
    log: silentLog,
    publish: ({ id }) => published.push(id),
    withdraw: () => undefined,
    settleTold: () => settleTold(),
  });
});
afterEach(() => {
  publisher.close();
  vi.useRealTimers();
});

const lookUp = async (times: number) => {
  for (let count = 0; count < times; count += 1) {
    publisher.lookedUp(DIRECTORY);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

test('a directory with too many names is listed once per version, not at each lookup', async () => {
  names = 100_000;
  await lookUp(50);
  expect({ listed, published }).toEqual({ listed: 1, published: [] });
  version = {};
  names = 3;
  await lookUp(20);
  expect({ listed, published }).toEqual({ listed: 2, published: [1] });
});

test('what threads have told of withdrawn names is taken note of before they are let go', async () => {
  await lookUp(8);
  expect(published).toEqual([1]);
  vi.useFakeTimers();
  let found: unknown;
  // A thread that answered just before, and no request has come to the main thread since.
  settleTold = () => (found = publisher.entry(1, 2)?.entry.name);
  publisher.forget(DIRECTORY);
  vi.advanceTimersByTime(60_000);
  expect(found).toBe('n2');
  expect(publisher.entry(1, 2)).toBeUndefined();
});
