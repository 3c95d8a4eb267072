import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

import { compileDaemon, disposeMounts, IS_ROOT, MemoryMount } from './support/memory-mount.js';
import { Reader } from './support/reader.js';

/** Opens that the serving threads of the transport `kernel` answer by themselves. */

const run = promisify(execFile);
const kernel = { transport: 'kernel' } as const;
const content = Buffer.from('text');
const forEver = { content, timeout: Infinity };

/** Opens each path time and again, and reads a byte of it now and then. */
const OPENER = `
import os, sys
for round in range(int(sys.argv[1])):
    for path in sys.argv[2:]:
        fd = os.open(path, os.O_RDONLY)
        if round % 10 == 0: assert os.read(fd, 100) == b'text'
        os.close(fd)
`;
const openOften = (rounds: number, ...paths: string[]) =>
  Promise.all([1, 2, 3, 4].map(() => run('python3', ['-c', OPENER, String(rounds), ...paths])));
const forgetAll = () => run('sh', ['-c', 'echo 3 >/proc/sys/vm/drop_caches']);

let mount: MemoryMount;
const calls = async (name: string) => (await mount.report()).calls[name] ?? 0;
const handles = async () => (await mount.report()).owed.handles;

beforeAll(compileDaemon);
afterEach(disposeMounts);
/** At the end the tree must have got everything back, and nothing unexpected been asked of it. */
const endClean = async () => {
  await mount.unmount();
  // Who copied the table of mounts meanwhile may keep it for a moment.
  await mount.waitForEnd();
  const { owed, errors } = await mount.report();
  expect(owed).toEqual({ references: 0, handles: 0 });
  expect(errors).toEqual([]);
};

describe('a file that never changes and whose pages are right', () => {
  test('is opened once in the tree, for whole crowds', async () => {
    const paths = Array.from({ length: 20 }, (_, index) => `/d/${index}`);
    mount = await MemoryMount.start(
      Object.fromEntries(paths.map((path) => [path, forEver])),
      kernel,
    );
    await openOften(100, ...paths.map((path) => mount.path(path)));
    // One for each, and what was under way at the same time as that one.
    expect(await calls('open')).toBeLessThanOrEqual(4 * paths.length);
    expect(await calls('read')).toBeLessThanOrEqual(4 * paths.length);
    await endClean();
  });

  test('is let go of when nobody has opened it for a while', async () => {
    mount = await MemoryMount.start({ '/d/file': forEver }, kernel);
    await openOften(10, mount.path('d/file'));
    expect(await handles()).toBe(1);
    await expect.poll(handles, { timeout: 20_000, interval: 200 }).toBe(0);
    await openOften(10, mount.path('d/file'));
    await endClean();
  }, 40_000);

  test.runIf(IS_ROOT)(
    'is read through such an open, also after the kernel has dropped its pages',
    async () => {
      mount = await MemoryMount.start({ '/d/file': forEver }, kernel);
      await openOften(10, mount.path('d/file'));
      const reader = await Reader.open(mount.path('d/file'));
      const before = await calls('read');
      await forgetAll();
      expect(await reader.read()).toBe('text');
      expect(await calls('read')).toBeGreaterThan(before);
      await reader.close();
      await endClean();
    },
  );

  test.runIf(IS_ROOT)(
    'stays open for who has it open, however long',
    async () => {
      mount = await MemoryMount.start({ '/d/file': forEver }, kernel);
      await openOften(1, mount.path('d/file'));
      const reader = await Reader.open(mount.path('d/file'));
      await new Promise((resolve) => setTimeout(resolve, 8000));
      await forgetAll();
      expect(await reader.read()).toBe('text');
      await run('umount', ['-l', mount.directory]);
      await forgetAll();
      expect(await reader.read()).toBe('text');
      await reader.close();
      await mount.waitForEnd();
      expect((await mount.report()).owed).toEqual({ references: 0, handles: 0 });
    },
    40_000,
  );

  test.runIf(IS_ROOT)('is opened in the tree again after a read of it has failed', async () => {
    mount = await MemoryMount.start({ '/d/file': forEver }, kernel);
    await openOften(10, mount.path('d/file'));
    const before = await calls('open');
    await mount.alter('/d/file', { ...forEver, failRead: 'EIO', failOpen: 'EACCES' });
    // Its pages only: an inode that is forgotten is opened in the tree anyway.
    await run('sh', ['-c', 'echo 1 >/proc/sys/vm/drop_caches']);
    const cat = () => run('cat', [mount.path('d/file')]).catch((error: unknown) => String(error));
    expect(await cat()).toMatch(/Input\/output error/);
    expect(await cat()).toMatch(/Permission denied/);
    expect(await calls('open')).toBe(before + 1);
    await endClean();
  });

  test.runIf(IS_ROOT)('is forgotten with the rest when the kernel forgets it', async () => {
    mount = await MemoryMount.start({ '/d/file': forEver }, kernel);
    await openOften(10, mount.path('d/file'));
    const owed = async () => {
      await forgetAll();
      return (await mount.report()).owed;
    };
    await expect.poll(owed, { timeout: 4000 }).toEqual({ references: 0, handles: 0 });
    await openOften(10, mount.path('d/file'));
    await endClean();
  });

  test('costs nothing more when those who open it are killed', async () => {
    mount = await MemoryMount.start({ '/d/file': forEver }, kernel);
    for (let round = 0; round < 10; round += 1) {
      const script = 'for i in 1 2 3 4; do timeout -s KILL 0.$((RANDOM % 3 + 1)) "$@" & done; wait';
      const opener = ['python3', '-c', OPENER, '1000000', mount.path('d/file')];
      await run('bash', ['-c', script, 'bash', ...opener]).catch(() => undefined);
    }
    await expect.poll(handles, { timeout: 20_000, interval: 200 }).toBe(0);
    await endClean();
  }, 60_000);
});

test.each([
  ['not known to be right', { content, timeout: Infinity, verified: false }],
  ['not remembered for ever', { content, timeout: 60_000 }],
])('a file that is %s is opened in the tree each time', async (_, file) => {
  mount = await MemoryMount.start({ '/d/file': file }, kernel);
  await openOften(5, mount.path('d/file'));
  expect(await calls('open')).toBe(20);
  await expect.poll(handles).toBe(0);
  await endClean();
});

test('more files than there is room for are opened all the same', async () => {
  const paths = Array.from({ length: 1500 }, (_, index) => `/d/${index}`);
  mount = await MemoryMount.start(Object.fromEntries(paths.map((path) => [path, forEver])), kernel);
  const held = await Promise.all(paths.slice(0, 5).map((path) => Reader.open(mount.path(path))));
  await openOften(3, ...paths.map((path) => mount.path(path)));
  expect(await handles()).toBeLessThanOrEqual(512 + 5);
  for (const reader of held) {
    expect(await reader.read()).toBe('text');
    await reader.close();
  }
  await endClean();
}, 60_000);
