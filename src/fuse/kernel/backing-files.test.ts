import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';

import type { Log } from '../../observe/log.js';
import { BackingFiles } from './backing-files.js';

let calls: string[];
let said: string[];
let failure: string | undefined;
let isUnchanged: boolean;
/** Files that are watched. */
let watches: number;
let files: BackingFiles;
let make: (early?: boolean) => BackingFiles;

beforeEach(() => {
  calls = [];
  said = [];
  failure = undefined;
  isUnchanged = true;
  watches = 0;
  let lastId = 0;
  const log: Log = {
    debug: () => undefined,
    info: (_, message) => said.push(message),
    warn: (_, message) => said.push(message),
    error: () => undefined,
  };
  const fail = () => {
    if (failure !== undefined) throw Object.assign(new Error(failure), { code: failure });
  };
  make = (early) =>
    new BackingFiles(
      {
        prepare: () => {
          calls.push('prepare');
          fail();
        },
        open: (fd) => {
          calls.push(`open ${fd}`);
          fail();
          return ++lastId;
        },
        close: (id) => calls.push(`close ${id}`),
        watch: () => {
          watches += 1;
          return { isUnchanged: () => isUnchanged, close: () => void (watches -= 1) };
        },
      },
      log,
      early,
    );
  files = make();
});

test('where files are meant to come, it is ready before the first; what fails then is told with it', async () => {
  failure = 'ENOSYS';
  const early = make(true);
  await sleep(50);
  expect(calls).toEqual([]);
  early.allow();
  files.allow();
  await expect.poll(() => calls).toEqual(['prepare']);
  expect(said).toEqual([]);
  expect(early.enter(1, 10)).toBeUndefined();
  expect(said).toHaveLength(1);
});

test('nothing is handed to a kernel that did not agree to it', () => {
  expect(files.enter(1, 10)).toBeUndefined();
  files.leave(1);
  expect(calls).toEqual([]);
});

test('all files of an inode that are open share the id of the first, until the last is closed', () => {
  files.allow();
  expect(files.enter(1, 10)).toBe(1);
  // Another descriptor of the same bytes, or none any more.
  expect(files.enter(1, 11)).toBe(1);
  expect(files.enter(1, undefined)).toBe(1);
  expect(files.enter(2, 20)).toBe(2);
  expect(files.size).toBe(2);
  files.leave(1);
  files.leave(1);
  expect(calls).toEqual(['open 10', 'open 20']);
  files.leave(1);
  expect(calls).toEqual(['open 10', 'open 20', 'close 1']);
  expect(files.enter(1, 12)).toBe(3);
  files.leave(1);
  files.leave(2);
  expect(watches).toBe(0);
});

test('a file that somebody changed is not opened again until all have closed it', () => {
  files.allow();
  expect(files.enter(1, 10)).toBe(1);
  isUnchanged = false;
  expect(files.isSound(1)).toBe(false);
  expect(() => files.enter(1, 10)).toThrow(expect.objectContaining({ code: 'EIO' }));
  expect(said).toHaveLength(1);
  expect(files.isSound(2)).toBe(true);
  files.leave(1);
  isUnchanged = true;
  expect(files.enter(1, 10)).toBe(2);
  files.leave(1);
  expect(watches).toBe(0);
});

test('an inode whose reads we serve stays so until the last file is closed', () => {
  files.allow();
  expect(files.enter(1, undefined)).toBeUndefined();
  expect(files.enter(1, 10)).toBeUndefined();
  files.leave(1);
  expect(files.enter(1, 10)).toBeUndefined();
  files.leave(1);
  files.leave(1);
  expect(files.enter(1, 10)).toBe(1);
});

test.each([
  ['EPERM', 1],
  ['ELOOP', 2],
])('%s: we serve the reads, and it is said once', (code, attempts) => {
  files.allow();
  failure = code;
  expect(files.enter(1, 10)).toBeUndefined();
  expect(files.enter(2, 20)).toBeUndefined();
  expect(calls).toHaveLength(attempts);
  expect(said).toHaveLength(1);
  files.leave(1);
  files.leave(2);
  expect(files.size).toBe(0);
  expect(watches).toBe(0);
});
