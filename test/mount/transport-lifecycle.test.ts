import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { readMountTable, topMount } from '../../src/fuse/mount-table.js';
import { cleanStale, inspectMountpoint } from '../../src/fuse/mountpoint.js';
import { unmount } from '../../src/fuse/unmount.js';
import {
  compileDaemon,
  disposeMounts,
  IS_ROOT,
  MemoryMount,
  TEST_TRANSPORT,
} from './support/memory-mount.js';
import { Reader } from './support/reader.js';

/** How a mount begins and ends, and what is left of it. */

const run = promisify(execFile);
const files = { '/file': { content: Buffer.from('text') } };
let scratch: string;

const cat = async (path: string): Promise<string> => (await run('cat', [path])).stdout;
const mountedOn = async (path: string) => topMount(await readMountTable(), path);

beforeAll(compileDaemon);
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'layoutfs-scratch-'));
});
afterEach(async () => {
  await disposeMounts();
  for (const { mountpoint } of (await readMountTable()).reverse()) {
    if (mountpoint.startsWith(`${scratch}/`)) await run('umount', ['-l', mountpoint]);
  }
  await rm(scratch, { recursive: true, force: true });
});

describe('the end', () => {
  test('by the daemon itself', async () => {
    const mount = await MemoryMount.start(files);
    const ended = mount.waitForEnd();
    await mount.unmount();
    await ended;
    expect(await mountedOn(mount.directory)).toBeUndefined();
    expect(await inspectMountpoint(mount.directory)).toMatchObject({ kind: 'free', empty: true });
    // A second time is no mistake.
    await mount.unmount();
    expect(mount.stderr).toBe('');
  });

  test.each([['umount'], ['fusermount3', '-u']])('by %s from outside', async (program, ...args) => {
    const mount = await MemoryMount.start(files);
    const ended = mount.waitForEnd();
    await run(program, [...args, mount.directory]);
    await ended;
    await mount.unmount();
  });

  test('when busy: readers keep what they have open, then it ends', async () => {
    const mount = await MemoryMount.start(files);
    const reader = await Reader.open(mount.path('file'));
    let hasEnded = false;
    const ended = mount.waitForEnd().then(() => (hasEnded = true));
    await mount.unmount();
    expect(await mountedOn(mount.directory)).toBeUndefined();
    expect(await reader.read()).toBe('text');
    expect(hasEnded).toBe(false);
    await reader.close();
    await ended;
    expect((await mount.report()).owed).toEqual({ references: 0, handles: 0 });
  });

  test('while a read is in progress: it is answered late, and the daemon lives on', async () => {
    const mount = await MemoryMount.start({
      '/slow': { content: Buffer.from('slow'), readDelay: 1500 },
    });
    const reading = cat(mount.path('slow'));
    await expect.poll(async () => (await mount.report()).calls['read']).toBe(1);
    const ended = mount.waitForEnd();
    await run('umount', ['-l', mount.directory]);
    expect(await reading).toBe('slow');
    await ended;
    expect((await mount.report()).errors).toEqual([]);
  });

  test.runIf(IS_ROOT)(
    'by force while a read is in progress: a late answer crashes nothing',
    async () => {
      const mount = await MemoryMount.start({
        '/slow': { content: Buffer.alloc(100_000, 's'), readDelay: 1500 },
      });
      const reading = cat(mount.path('slow')).catch((error: unknown) => String(error));
      await expect.poll(async () => (await mount.report()).calls['read']).toBe(1);
      const ended = mount.waitForEnd();
      // umount -f aborts the connection: requests in flight fail at once, on the kernel's side.
      await run('umount', ['-f', '-l', mount.directory]);
      expect(await reading).toMatch(/abort|not connected|Input\/output/i);
      await ended;
      expect(await mount.report()).toMatchObject({
        errors: [],
        owed: { references: 0, handles: 0 },
      });
    },
  );

  test('a process may mount again after the end', async () => {
    const mount = await MemoryMount.start(files);
    for (let round = 0; round < 5; round += 1) {
      expect(await cat(mount.path('file'))).toBe('text');
      await mount.unmount();
      await mount.mount();
    }
    expect(await cat(mount.path('file'))).toBe('text');
  });

  test('nothing keeps the process alive afterwards', async () => {
    const mount = await MemoryMount.start(files);
    await mount.unmount();
    const exit = once(mount.daemon, 'exit');
    await mount.letGo();
    expect(await exit).toEqual([0, null]);
  });

  test.runIf(IS_ROOT)('a mount that something else lies over is left alone', async () => {
    const mount = await MemoryMount.start(files);
    await run('mount', ['-t', 'tmpfs', 'over', mount.directory]);
    await expect(mount.unmount()).rejects.toThrow(/Another file system is mounted over/);
    expect(await mountedOn(mount.directory)).toMatchObject({ fsType: 'tmpfs' });
    await run('umount', [mount.directory]);
    await mount.unmount();
  });
});

describe('a daemon that was killed', () => {
  test('leaves a stale mount, which is found and taken away', async () => {
    const mount = await MemoryMount.start(files, { source: 's3://b/p' });
    await mount.kill('SIGKILL');
    await expect(cat(mount.path('file'))).rejects.toThrow(/endpoint is not connected/);
    expect(await inspectMountpoint(mount.directory)).toMatchObject({
      kind: 'layoutfs',
      state: 'stale',
      path: mount.directory,
      mount: { source: 's3://b/p', fsType: 'fuse.layoutfs' },
    });
    expect(await cleanStale(mount.directory)).toBe(true);
    expect(await inspectMountpoint(mount.directory)).toMatchObject({ kind: 'free' });
    expect(await cleanStale(mount.directory)).toBe(false);
  });

  test('is followed by a new mount without more ado', async () => {
    const first = await MemoryMount.start(files);
    await first.kill('SIGKILL');
    const second = await MemoryMount.start(files, { mountpoint: first.directory });
    expect(await cat(second.path('file'))).toBe('text');
  });

  test('also when a reader still has a file open', async () => {
    const first = await MemoryMount.start(files);
    const reader = await Reader.open(first.path('file'));
    await first.kill('SIGKILL');
    const second = await MemoryMount.start(files, { mountpoint: first.directory });
    expect(await cat(second.path('file'))).toBe('text');
    await reader.close();
  });

  test('by SIGTERM leaves the same, when it does not unmount', async () => {
    const mount = await MemoryMount.start(files);
    await mount.kill('SIGTERM');
    expect(await inspectMountpoint(mount.directory)).toMatchObject({ state: 'stale' });
  });
});

describe('a mountpoint', () => {
  const refused = async (mountpoint: string, reason: RegExp) => {
    const mount = await MemoryMount.startDaemon({ mountpoint });
    await expect(mount.mount()).rejects.toThrow(reason);
  };

  test('that is missing', () => refused(join(scratch, 'none'), /does not exist.*mkdir -p/));

  test('below a file', async () => {
    await writeFile(join(scratch, 'file'), '');
    await refused(join(scratch, 'file/x'), /is not a directory/);
  });

  test('that is a file', async () => {
    const path = join(scratch, 'file');
    await writeFile(path, '');
    await refused(path, /is not a directory/);
  });

  test('that has something in it', async () => {
    await mkdir(join(scratch, 'a/b'), { recursive: true });
    await refused(join(scratch, 'a'), /is not empty/);
  });

  test('that a layoutfs is mounted on', async () => {
    const mount = await MemoryMount.start(files, { source: 's3://other' });
    await refused(mount.directory, /layoutfs of s3:\/\/other is already mounted.*layoutfs umount/);
    expect(await cat(mount.path('file'))).toBe('text');
  });

  test('whose path is longer than libfuse takes', async () => {
    const path = join(scratch, ...Array.from({ length: 6 }, () => 'x'.repeat(200)));
    await mkdir(path, { recursive: true });
    if (TEST_TRANSPORT === 'libfuse') {
      await refused(path, /longer than 1023 bytes/);
      return;
    }
    const mount = await MemoryMount.start(files, { mountpoint: path });
    expect(await cat(join(path, 'file'))).toBe('text');
    await mount.unmount();
    expect(await mountedOn(path)).toBeUndefined();
  });

  test.runIf(IS_ROOT)('that is a mounted, empty volume will do', async () => {
    const path = join(scratch, 'volume');
    await mkdir(path);
    await run('mount', ['-t', 'tmpfs', 'volume', path]);
    const mount = await MemoryMount.start(files, { mountpoint: path });
    expect(await cat(mount.path('file'))).toBe('text');
    await mount.unmount();
    expect(await mountedOn(path)).toMatchObject({ fsType: 'tmpfs', source: 'volume' });
    expect(await inspectMountpoint(path)).toMatchObject({ kind: 'foreign' });
    await writeFile(join(path, 'occupied'), '');
    await refused(path, /volume \(tmpfs\) is mounted there and is not an empty directory/);
  });

  test('with odd characters, and behind a symbolic link', async () => {
    const path = join(scratch, `a b\\c"$(id)'#,é`);
    const link = join(scratch, 'link');
    await mkdir(path);
    await symlink(path, link);
    const mount = await MemoryMount.start(files, { mountpoint: link });
    expect(await cat(join(path, 'file'))).toBe('text');
    expect(await inspectMountpoint(link)).toMatchObject({ kind: 'layoutfs', state: 'live', path });
    await mount.unmount();
    expect(await mountedOn(path)).toBeUndefined();
  });

  test('whose daemon hangs is found out in bounded time, and can be detached', async () => {
    const mount = await MemoryMount.start(files);
    mount.daemon.kill('SIGSTOP');
    expect(await inspectMountpoint(mount.directory, 500)).toMatchObject({ state: 'silent' });
    expect(await unmount(mount.directory, { deadlineMs: 1000 })).toMatch(/unmounted|detached/);
    expect(await mountedOn(mount.directory)).toBeUndefined();
  });
});

test('unmount() tells busy from other failures', async () => {
  const mount = await MemoryMount.start(files);
  const reader = await Reader.open(mount.path('file'));
  await expect(unmount(mount.directory, { failWhenBusy: true })).rejects.toThrow(
    /is busy.*fuser -vm/,
  );
  expect(await unmount(mount.directory)).toBe('detached');
  await expect(unmount(mount.directory)).rejects.toThrow(
    /could not be unmounted; (umount|fusermount3) says/,
  );
  await reader.close();
});
