import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { readMountTable, topMount } from '../../src/fuse/mount-table.js';
import { compileDaemon, disposeMounts, IS_ROOT, MemoryMount } from './support/memory-mount.js';
import { Reader } from './support/reader.js';

/** Changes that the transport `kernel` tells the kernel of. */

const run = promisify(execFile);
const kernel = { transport: 'kernel' } as const;
const file = (content: string, more = {}) => ({ content: Buffer.from(content), ...more });
/** Remembered for longer than any test takes. */
const HOUR = { timeout: 3_600_000 };

let mount: MemoryMount;
const cat = async (path: string): Promise<string> => (await run('cat', [mount.path(path)])).stdout;
const calls = async (name: string) => (await mount.report()).calls[name] ?? 0;
const mountedOn = async (path: string) => topMount(await readMountTable(), path);

beforeAll(compileDaemon);
afterEach(disposeMounts);
const endClean = async () => {
  await mount.unmount();
  // Who copied the table of mounts meanwhile may keep it for a moment.
  await mount.waitForEnd();
  const { owed, errors } = await mount.report();
  expect(owed).toEqual({ references: 0, handles: 0 });
  expect(errors).toEqual([]);
};

describe('a name that leads elsewhere', () => {
  test('is looked up again once it is announced, and not before', async () => {
    mount = await MemoryMount.start({ '/r/index': file('one', HOUR) }, kernel);
    expect(await cat('r/index')).toBe('one');
    const reader = await Reader.open(mount.path('r/index'));
    const before = await calls('lookup');
    await mount.put('/r/index', file('two', HOUR));
    // Remembered: the first word shows that this test would notice if nothing was announced.
    expect(await cat('r/index')).toBe('one');
    expect((await calls('lookup')) - before).toBeLessThanOrEqual(1);
    expect(await mount.announce('name', '/r/index')).toBe(true);
    expect(await cat('r/index')).toBe('two');
    expect(await reader.read()).toBe('one');
    await reader.close();
    await endClean();
  });

  test('is gone once that is announced', async () => {
    mount = await MemoryMount.start({ '/r/index': file('one', HOUR) }, kernel);
    expect(await cat('r/index')).toBe('one');
    await mount.remove('/r/index');
    await mount.announce('name', '/r/index');
    await expect(cat('r/index')).rejects.toThrow(/No such file/);
    await endClean();
  });

  test.runIf(IS_ROOT)('need not be known to the kernel, or not any more', async () => {
    mount = await MemoryMount.start({ '/r/index': file('one', HOUR) }, kernel);
    expect(await mount.announce('name', '/r/index')).toBe(true);
    expect(await cat('r/index')).toBe('one');
    await run('sh', ['-c', 'echo 2 >/proc/sys/vm/drop_caches']);
    expect(await mount.announce('name', '/r/index')).toBe(true);
    expect(await cat('r/index')).toBe('one');
    await endClean();
  });

  test('waits for a slow lookup beside it, and holds nobody up', async () => {
    mount = await MemoryMount.start(
      { '/r/index': file('one', HOUR), '/r/slow': file('slow', { lookupDelay: 1500 }) },
      kernel,
    );
    expect(await cat('r/index')).toBe('one');
    const before = await calls('lookup');
    const slow = cat('r/slow');
    await expect.poll(() => calls('lookup')).toBeGreaterThan(before);
    await mount.put('/r/index', file('two', HOUR));
    const told = mount.announce('name', '/r/index');
    // The daemon answers, and what the kernel remembers is to be had.
    expect(await cat('r/index')).toBe('one');
    expect(await told).toBe(true);
    expect(await slow).toBe('slow');
    expect(await cat('r/index')).toBe('two');
    await endClean();
  });

  test('thousands at once are all told', async () => {
    const paths = Array.from({ length: 1000 }, (_, index) => `/r/${index}`);
    mount = await MemoryMount.start(
      Object.fromEntries(paths.map((path) => [path, file('one', HOUR)])),
      kernel,
    );
    const all = async () => {
      const script = 'cd "$1"; cat * | fold -w 3 | sort | uniq -c';
      const { stdout } = await run('sh', ['-c', script, 'sh', mount.path('r')]);
      return stdout.trim().split(/\s+/);
    };
    expect(await all()).toEqual(['1000', 'one']);
    for (const path of paths) await mount.put(path, file('two', HOUR));
    const told = await Promise.all(paths.map((path) => mount.announce('name', path)));
    expect(new Set(told)).toEqual(new Set([true]));
    expect(await all()).toEqual(['1000', 'two']);
    await endClean();
  }, 60_000);
});

test('a listing that changed is read anew at the next opening of the directory', async () => {
  const dir = { '/d/sub/one': file('x', HOUR) };
  mount = await MemoryMount.start(dir, { ...kernel, refreshMs: 3_600_000 });
  const list = async () => (await run('ls', [mount.directory])).stdout.trim().split('\n');
  expect(await list()).toEqual(['d']);
  await mount.put('/e', file('x', HOUR));
  expect(await list()).toEqual(['d']);
  await mount.announce('listing', '/e');
  expect(await list()).toEqual(['d', 'e']);
  await endClean();
});

test('a listing that nobody announced is shown once the refresh interval is over', async () => {
  mount = await MemoryMount.start({ '/one': file('x', HOUR) }, { ...kernel, refreshMs: 1500 });
  const list = async () => (await run('ls', [mount.directory])).stdout.trim().split('\n');
  const begun = performance.now();
  expect(await list()).toEqual(['one']);
  await mount.put('/two', file('x', HOUR));
  const seen = await list();
  if (performance.now() - begun < 1000) expect(seen).toEqual(['one']);
  const { readdir } = (await mount.report()).calls;
  await sleep(1600);
  // Who passes through first waits for no listing, and hides no change from those who list.
  await run('stat', [mount.path('one')]);
  expect((await mount.report()).calls['readdir']).toBe(readdir);
  expect(await list()).toEqual(['one', 'two']);
  await sleep(1600);
  await mount.remove('/one');
  expect(await list()).toEqual(['two']);
  await endClean();
});

describe('bytes that turned out wrong', () => {
  const forEver = { timeout: Infinity };

  test('leave the kernel: also for who has them mapped', async () => {
    mount = await MemoryMount.start({ '/b': file('wwww', forEver) }, kernel);
    const reader = await Reader.open(mount.path('b'));
    expect(await reader.map()).toBe('w');
    await mount.alter('/b', file('rrrr', forEver));
    // Threads open it, and the kernel keeps its pages.
    expect(await cat('b')).toBe('wwww');
    expect(await reader.map()).toBe('w');
    expect(await mount.announce('bytes', '/b')).toBe(true);
    expect(await cat('b')).toBe('rrrr');
    expect(await reader.map()).toBe('r');
    await reader.close();
    await endClean();
  });

  test('leave before the next open is answered, though reads of them are under way', async () => {
    const slow = { ...forEver, readDelay: 1500 };
    mount = await MemoryMount.start({ '/b': file('wwww', slow), '/c': file('c') }, kernel);
    const first = cat('b');
    await expect.poll(() => calls('read')).toBe(1);
    await mount.alter('/b', file('rrrr', forEver));
    const told = mount.announce('bytes', '/b');
    const second = cat('b');
    // Others are served meanwhile.
    expect(await cat('c')).toBe('c');
    // It had all its bytes before any of this, or reads them again.
    expect(['wwww', 'rrrr']).toContain(await first);
    expect(await told).toBe(true);
    expect(await second).toBe('rrrr');
    await endClean();
  });
});

describe('the end comes while notices wait for reads that nobody answers', () => {
  const start = async () => {
    const never = { timeout: Infinity, readDelay: 60_000 };
    mount = await MemoryMount.start({ '/r/b': file('b', never), '/r/i': file('i', HOUR) }, kernel);
    const reader = cat('r/b').catch((error: unknown) => String(error));
    await expect.poll(() => calls('read')).toBe(1);
    expect(await mount.announce('bytes', '/r/b')).toBe(false);
    expect(await mount.announce('name', '/r/i')).toBe(false);
    return { reader };
  };

  test.each([
    ['exit', 7],
    ['crash', 1],
  ] as const)('%s of the process', async (how, code) => {
    const { reader } = await start();
    expect(await mount.leave(how)).toBe(code);
    expect(await reader).toMatch(/abort|not connected|Input\/output/i);
    expect(await mountedOn(mount.directory)).toBeUndefined();
  });

  test('SIGKILL', async () => {
    const { reader } = await start();
    await mount.kill();
    expect(await reader).toMatch(/abort|not connected|Input\/output/i);
  });

  test.runIf(IS_ROOT)('umount -f', async () => {
    const { reader } = await start();
    await run('umount', ['-f', '-l', mount.directory]);
    expect(await reader).toMatch(/abort|not connected|Input\/output/i);
    expect(await mountedOn(mount.directory)).toBeUndefined();
  });
});
