import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { afterEach, expect, test } from 'vitest';

import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.js';
import { isSlotHandle, makeSlots, OpenSlots, SLOTS, slotOf } from './open-slots.js';
import { SharedFiles } from './shared-files.js';

/** Inodes that all have their place in one set, twice as many as there is room for. */
const INODES = Array.from({ length: 8 }, (_, index) => 2 ** 40 + 128 * (index + 1));
const THREADS = 3;
const ENOUGH = 500_000;

/** Numbers that the threads of the test share. */
const ERRORS = 0;
const OPENS = 1;
const STOP = 2;
/** Then, for each inode: how many files of it are open. */
const OPEN = 3;
const NUMBERS = OPEN + INODES.length;

test('a slot gives handles only while it is published, and takes no others back', () => {
  const slots = new OpenSlots(makeSlots());
  const ino = 2 ** 40 + 5;
  const enter = () => slots.enter(ino >>> 0, 2 ** 8);
  expect(enter()).toBeUndefined();
  const [slot = -1] = slots.candidates(ino);
  const first = slots.publish(slot, ino);
  const second = enter();
  expect(second).toBe(first);
  expect(isSlotHandle(first)).toBe(true);
  expect(slotOf(first)).toBe(slot);
  expect(slots.count(slot)).toBe(2);
  // Another inode of the same lower half.
  expect(slots.enter(ino >>> 0, 2 ** 9)).toBeUndefined();
  slots.forbid(slot);
  expect(enter()).toBeUndefined();
  expect([slots.leave(first), slots.leave(first)]).toEqual([true, true]);
  expect(slots.count(slot)).toBe(0);
  slots.free(slot);
  const again = slots.publish(slot, ino);
  expect(again).not.toBe(first);
  expect(slots.leave(first)).toBe(false);
  for (const strange of [0, 1, 2 ** 48, first + 1, again + SLOTS, 2 ** 53, 2 ** 64]) {
    expect(slots.leave(strange)).toBe(false);
  }
  expect(slots.count(slot)).toBe(1);
});

const directories: string[] = [];
afterEach(() =>
  Promise.all(directories.splice(0).map((path) => rm(path, { recursive: true, force: true }))),
);

test('gives no handle any more once the file behind it was changed', async () => {
  const directory = await makeTemporaryDirectory('slots');
  const file = await open(join(directory, 'file'), 'w+');
  try {
    const { ctimeNs: changedAt } = await file.stat({ bigint: true });
    const slots = new OpenSlots(makeSlots());
    const ino = 2 ** 40 + 5;
    const enter = () => slots.enter(ino >>> 0, 2 ** 8);
    const [slot = -1] = slots.candidates(ino);
    const first = slots.publish(slot, ino, { id: 7, fd: file.fd, changedAt });
    expect(enter()).toBe(first);
    expect(slots.backingId(first)).toBe(7);
    // Another ctime even where the clock of files ticks slowly.
    await sleep(20);
    await file.write('changed');
    expect(enter()).toBeUndefined();
    expect(slots.count(slot)).toBe(2);
  } finally {
    await file.close();
    await rm(directory, { recursive: true });
  }
});

test('what threads have open stays open, whatever is retired and published meanwhile', async () => {
  const directory = await makeTemporaryDirectory('layoutfs-slots');
  directories.push(directory);
  await compileTo(directory);
  const state = new Int32Array(new SharedArrayBuffer(4 * NUMBERS));
  let opened = 0;
  let closed = 0;
  const files = new SharedFiles<number>((index) => {
    closed += 1;
    Atomics.sub(state, OPEN + index, 1);
  });
  const workerData = { cells: files.cells, state, inodes: INODES };
  const threads = Array.from(
    { length: THREADS },
    (_, seed) => new Worker(join(directory, 'thread.mjs'), { workerData: { ...workerData, seed } }),
  );
  const failures: unknown[] = [];
  const ends = threads.map((thread) => {
    thread.on('error', (error) => failures.push(error));
    return new Promise((end) => thread.once('exit', end));
  });
  try {
    for (let round = 0; Atomics.load(state, OPENS) < ENOUGH; round += 1) {
      if (failures.length > 0) break;
      const index = (round * 5 + (round >> 3)) % INODES.length;
      Atomics.add(state, OPEN + index, 1);
      const handle = files.publish(INODES[index] ?? 0, index);
      if (handle === undefined) {
        Atomics.sub(state, OPEN + index, 1);
      } else {
        opened += 1;
        files.release(handle);
      }
      if (round % 3 === 0) files.retire(INODES[(index + 3) % INODES.length] ?? 0);
      if (round % 50 === 0) {
        files.sweep();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  } finally {
    Atomics.store(state, STOP, 1);
    await Promise.all(ends);
  }
  expect(failures).toEqual([]);
  expect(Atomics.load(state, ERRORS)).toBe(0);
  // Nobody has anything open: nothing keeps a retired file.
  for (const ino of INODES) files.retire(ino);
  files.sweep();
  expect(files.size).toBe(0);
  expect(closed).toBe(opened);
}, 60_000);

/** Node 20 runs no TypeScript in threads. */
async function compileTo(directory: string): Promise<void> {
  const source = await readFile(new URL('./open-slots.ts', import.meta.url), 'utf8');
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await writeFile(join(directory, 'open-slots.mjs'), outputText);
  await writeFile(join(directory, 'thread.mjs'), THREAD);
}

/** Opens, looks whether the file is the one that is open for the slot, and closes. */
const THREAD = `
import { workerData } from 'node:worker_threads';
import { OpenSlots } from './open-slots.mjs';
const { cells, state, inodes, seed } = workerData;
const slots = new OpenSlots(cells);
let random = seed + 1;
while (Atomics.load(state, ${STOP}) === 0) {
  random = (Math.imul(random, 1103515245) + 12345) >>> 0;
  const index = (random >>> 16) % inodes.length;
  const ino = inodes[index];
  const handle = slots.enter(ino >>> 0, Math.floor(ino / 2 ** 32));
  if (handle === undefined) continue;
  for (let look = 0; look < 20; look += 1) {
    if (Atomics.load(state, ${OPEN} + index) < 1) Atomics.add(state, ${ERRORS}, 1);
  }
  Atomics.add(state, ${OPENS}, 1);
  if (!slots.leave(handle)) Atomics.add(state, ${ERRORS}, 1);
}
`;
