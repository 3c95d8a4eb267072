import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, lstat, open, readdir, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { filesOf } from '../../src/blobs/disk/scan.js';
import type { CounterName } from '../../src/observe/counters.js';
import { run } from '../support/run.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { LAYOUTFS } from './support/command.js';

/** Several processes over one cache directory, on a real disk. Whatever is done to them or to the
 * files, none is ever given a wrong byte. */

const PROGRAM = join(import.meta.dirname, 'support/cache-process.mjs');
const PROCESSES = 3;

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const process of running) process.kill('SIGKILL');
});

interface Member {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly output: () => string;
}

let seed = 1;

async function start(directory: string, ...steps: string[]): Promise<Member> {
  const child = spawn(process.execPath, [PROGRAM, directory, String(seed++), ...steps], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = once(child, 'close').then(() => running.delete(child));
  await Promise.race([once(child.stdout, 'data'), ended]);
  return { process: child, ended, output: () => output };
}

async function makeDirectory(): Promise<string> {
  const home = await makeTemporaryDirectory('cache');
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return join(home, 'cache');
}

/** End all of them, and add up what they counted and warned of. */
async function end(members: readonly Member[]) {
  const warnings: string[] = [];
  const sums = new Map<CounterName, number>();
  for (const { process: child, ended, output } of members) {
    child.kill('SIGTERM');
    await ended;
    expect({ code: child.exitCode, output: output() }).toMatchObject({ code: 0 });
    const told = JSON.parse(output().trim().split('\n').at(-1) ?? '') as {
      counters: Record<string, number>;
      warnings: string[];
    };
    warnings.push(...told.warnings);
    for (const [name, value] of Object.entries(told.counters)) {
      const counter = name as CounterName;
      sums.set(counter, (sums.get(counter) ?? 0) + value);
    }
  }
  return { sums, warnings };
}

function verify(directory: string) {
  return run(LAYOUTFS, ['cache', 'verify', '--cache-dir', directory]);
}

it('they share what they keep, within the size', async () => {
  const directory = await makeDirectory();
  const members = await Promise.all(
    Array.from({ length: PROCESSES }, () => start(directory, '200')),
  );
  await Promise.all(members.map(({ ended }) => ended));
  const { sums, warnings } = await end(members);
  expect(warnings).toEqual([]);
  expect(sums.get('cache.hit')).toBeGreaterThan(10);
  expect(sums.get('cache.completed')).toBeGreaterThan(10);
  expect(sums.get('cache.evicted')).toBeGreaterThan(0);
  expect(sums.get('cache.damaged')).toBe(0);
  expect(sums.get('cache.error')).toBe(0);
  expect(await verify(directory)).toMatchObject({ code: 0 });
  expect(await ownedFiles(directory)).toEqual([]);
});

it('any of them may be killed at any moment', async () => {
  const directory = await makeDirectory();
  const members = await Promise.all(Array.from({ length: PROCESSES }, () => start(directory)));
  for (let round = 0; round < 20; round++) {
    await sleep((round * 37) % 150);
    const [victim] = members.splice(round % members.length, 1);
    victim?.process.kill('SIGKILL');
    await victim?.ended;
    expect(victim?.output()).toBe('ready\n');
    members.push(await start(directory));
  }
  await sleep(500);
  const { sums } = await end(members);
  expect(sums.get('cache.damaged')).toBe(0);
  expect(await verify(directory)).toMatchObject({ code: 0 });
  const pruned = await run(LAYOUTFS, ['cache', 'prune', '--all', '--cache-dir', directory]);
  expect(pruned.stdout).toMatch(/ 0 B are left\.\n$/);
});

it('somebody may damage any file at any moment', async () => {
  const directory = await makeDirectory();
  const members = await Promise.all(Array.from({ length: PROCESSES }, () => start(directory)));
  let damaged = 0;
  for (let round = 0; round < 60; round++) {
    await sleep(40);
    damaged += await damageOne(directory, round);
    for (const { output } of members) expect(output()).toBe('ready\n');
  }
  const { sums } = await end(members);
  expect(damaged).toBeGreaterThan(20);
  expect((sums.get('cache.damaged') ?? 0) + (sums.get('cache.rehashed') ?? 0)).toBeGreaterThan(0);
  await verify(directory);
  expect(await verify(directory)).toMatchObject({ code: 0 });
});

const DAMAGES: ((path: string) => Promise<void>)[] = [
  async (path) => {
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, size >> 1);
    byte[0] = (byte[0] ?? 0) ^ 0x40;
    await file.write(byte, 0, 1, size >> 1);
    await file.close();
  },
  async (path) => truncate(path, (await lstat(path)).size >> 1),
  (path) => appendFile(path, 'x'),
  (path) => chmod(path, 0o666),
  (path) => rm(path),
  (path) => rename(path, `${path}-elsewhere`),
];

/** Damage a complete blob, or a record. @returns 1 when it did */
async function damageOne(directory: string, round: number): Promise<number> {
  const room = round % 4 === 0 ? 'records' : 'blobs';
  const files = [];
  for await (const { path } of filesOf(join(directory, room))) files.push(path);
  const path = files[(round * 7) % files.length];
  if (path === undefined) return 0;
  try {
    // Later than our own changes by the kernel's clock, which ticks every few ms.
    if (Date.now() - (await lstat(path)).ctimeMs < 20) return 0;
    await DAMAGES[round % DAMAGES.length]?.(path);
    return 1;
  } catch (error) {
    // Thrown out meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** Partial files that look as if somebody wrote them. */
async function ownedFiles(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, 'partial'), { recursive: true });
  return names.filter((name) => name.includes('~'));
}
