import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, expect, test, type TestContext } from 'vitest';

import { makePlainDirectory, NO_PLAIN_DIRECTORY } from '../support/plain-directory.js';
import { makeTemporaryDirectory } from '../support/temporary-directory.js';
import { compileDaemon, disposeMounts, MemoryMount } from './support/memory-mount.js';
import { Reader } from './support/reader.js';

/**
 * Files that the kernel reads by itself, from a file that it was handed. What the file system says of
 * their content differs from what is in that file, so that it shows who has read.
 */

const run = promisify(execFile);
const kernel = { transport: 'kernel' } as const;
const SERVED = 'served by the daemon';
const BACKED = 'read by the kernel  ';

let directory: string;
/** One whose files the kernel takes, if there is any. */
let plain: string | undefined;
let mount: MemoryMount;
const cat = async (path: string): Promise<string> => (await run('cat', [path])).stdout;
const file = (backing?: string) => ({
  content: Buffer.from(SERVED),
  timeout: Infinity,
  ...(backing !== undefined && { backing }),
});
/** The file that the kernel reads. */
const backing = ({ skip }: TestContext): string => {
  if (plain === undefined) return skip(NO_PLAIN_DIRECTORY);
  return join(plain, 'backing');
};
const reads = async () => (await mount.report()).calls['read'] ?? 0;
const endClean = async () => {
  await mount.unmount();
  await mount.waitForEnd();
  const { owed, errors } = await mount.report();
  expect(owed).toEqual({ references: 0, handles: 0 });
  expect(errors).toEqual([]);
};

beforeAll(compileDaemon);
beforeEach(async () => {
  directory = await makeTemporaryDirectory('layoutfs-backing');
  plain = await makePlainDirectory('layoutfs-backing');
  if (plain !== undefined) await writeFile(join(plain, 'backing'), BACKED);
});
afterEach(async () => {
  await disposeMounts();
  if (plain !== undefined) await rm(plain, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

test('are read without a request, also by mmap, past the pages, and by many at once', async (context) => {
  const source = backing(context);
  mount = await MemoryMount.start({ '/d/file': file(source) }, kernel);
  const path = mount.path('d/file');
  expect(await cat(path)).toBe(BACKED);
  const reader = await Reader.open(path);
  expect(await reader.read()).toBe(BACKED);
  expect(await reader.map()).toBe([...new Set(BACKED)].sort().join(''));
  const all = await Promise.all(Array.from({ length: 8 }, () => cat(path)));
  expect(new Set(all)).toEqual(new Set([BACKED]));
  await run('sh', ['-c', 'echo 3 >/proc/sys/vm/drop_caches']);
  expect(await reader.read()).toBe(BACKED);
  expect(await cat(path)).toBe(BACKED);
  expect(await reads()).toBe(0);
  await reader.close();
  await endClean();
});

test('are not mixed with opens that the daemon serves', async (context) => {
  const source = backing(context);
  mount = await MemoryMount.start({ '/d/file': file() }, kernel);
  const path = mount.path('d/file');
  const served = await Reader.open(path);
  expect(await served.read()).toBe(SERVED);
  // The blob has become complete in the cache meanwhile.
  await mount.alter('/d/file', file(source));
  expect(await cat(path)).toBe(SERVED);
  await served.close();
  const handles = async () => (await mount.report()).owed.handles;
  await expect.poll(handles, { timeout: 20_000, interval: 200 }).toBe(0);
  const backed = await Reader.open(path);
  expect(await backed.read()).toBe(BACKED);
  // It has left the cache: who opens it now reads with those who have it open.
  await mount.alter('/d/file', file());
  expect(await cat(path)).toBe(BACKED);
  await backed.close();
  await expect.poll(handles, { timeout: 20_000, interval: 200 }).toBe(0);
  await run('sh', ['-c', 'echo 3 >/proc/sys/vm/drop_caches']);
  expect(await cat(path)).toBe(SERVED);
  await endClean();
}, 60_000);

test('a file that is opened all the time is read by the kernel once it can be', async (context) => {
  const source = backing(context);
  mount = await MemoryMount.start({ '/d/file': file(), '/d/other': file(source) }, kernel);
  const path = mount.path('d/file');
  expect(await cat(path)).toBe(SERVED);
  expect(await cat(mount.path('d/other'))).toBe(BACKED);
  await mount.alter('/d/file', file(source));
  await expect.poll(() => cat(path), { timeout: 30_000, interval: 100 }).toBe(BACKED);
  await endClean();
}, 60_000);

test('a file that is changed while it is open is not opened any more', async (context) => {
  const source = backing(context);
  mount = await MemoryMount.start({ '/d/file': file(source) }, kernel);
  const path = mount.path('d/file');
  const reader = await Reader.open(path);
  expect(await reader.read()).toBe(BACKED);
  await writeFile(source, 'changed by somebody ', { flag: 'r+' });
  // Not even by the threads that open it by themselves, which it was published to.
  const open = () => cat(path).catch(String);
  await expect.poll(open, { timeout: 20_000, interval: 200 }).toMatch(/Input\/output error/);
  await mount.alter('/d/file', file());
  await reader.close();
  await expect.poll(open, { timeout: 20_000, interval: 200 }).toBe(SERVED);
  await endClean();
}, 60_000);

test('a file that is removed while it is open is read on', async (context) => {
  const source = backing(context);
  mount = await MemoryMount.start({ '/d/file': file(source) }, kernel);
  const path = mount.path('d/file');
  const reader = await Reader.open(path);
  await rm(source);
  // Longer than between two looks at it.
  await sleep(2500);
  expect(await cat(path)).toBe(BACKED);
  await reader.close();
  await endClean();
});

test('what the kernel does not take, the daemon serves', async () => {
  const other = join(directory, 'directory');
  await mkdir(other);
  mount = await MemoryMount.start({ '/d/file': file(other) }, kernel);
  expect(await cat(mount.path('d/file'))).toBe(SERVED);
  expect(await cat(mount.path('d/file'))).toBe(SERVED);
  await endClean();
});

test('what lies on a stacked file system, the daemon serves', async () => {
  const stack = join(directory, 'stack');
  await mkdir(stack);
  // Its layers on a file system of their own: one overlay cannot always lie on another.
  await run('mount', ['-t', 'tmpfs', 'layoutfs-test', stack]);
  try {
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) =>
      join(stack, name),
    ) as [string, string, string, string];
    for (const layer of [lower, upper, work, merged]) await mkdir(layer);
    const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await run('mount', ['-t', 'overlay', '-o', layers, 'layoutfs-test', merged]);
    await writeFile(join(merged, 'file'), BACKED);
    mount = await MemoryMount.start({ '/d/file': file(join(merged, 'file')) }, kernel);
    expect(await cat(mount.path('d/file'))).toBe(SERVED);
    await endClean();
  } finally {
    await run('umount', ['-R', '-l', stack]);
  }
});

test('what is open goes on after the daemon has died', async (context) => {
  const source = backing(context);
  mount = await MemoryMount.start({ '/d/file': file(source) }, kernel);
  const reader = await Reader.open(mount.path('d/file'));
  await mount.kill();
  expect(await reader.read()).toBe(BACKED);
  await reader.close();
});
