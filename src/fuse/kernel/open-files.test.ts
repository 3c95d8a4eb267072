import { beforeEach, describe, expect, test } from 'vitest';

import { MemoryFileSystem } from '../../../test/mount/support/memory-file-system.js';
import { ROOT_INODE } from '../../tree/file-system.js';
import { silentLog } from '../../observe/log.js';
import { BackingFiles } from './backing-files.js';
import { watchBacking } from './backing-watch.js';
import { InProgress } from './in-progress.js';
import { KernelInodes } from './kernel-inodes.js';
import { OpenFiles } from './open-files.js';
import { isSlotHandle, OpenSlots } from './open-slots.js';

const content = Buffer.from('text');
let fileSystem: MemoryFileSystem;
let inodes: KernelInodes;
let files: OpenFiles;
let ino: number;
let calls: string[];

/** As a serving thread does. */
const enter = () => new OpenSlots(files.sharedCells).enter(ino >>> 0, Math.floor(ino / 2 ** 32));

beforeEach(async () => {
  fileSystem = new MemoryFileSystem();
  fileSystem.put('/file', { content, timeout: Infinity });
  inodes = new KernelInodes(fileSystem, 0);
  calls = [];
  const backings = new BackingFiles(
    {
      prepare: () => undefined,
      open: (fd) => (calls.push(`open ${fd}`), 7),
      close: (id) => void calls.push(`close ${id}`),
      watch: watchBacking,
    },
    silentLog,
  );
  backings.allow();
  files = new OpenFiles(fileSystem, inodes, backings);
  const entry = await fileSystem.lookup(ROOT_INODE, 'file');
  inodes.told(ROOT_INODE, 'file', entry);
  ino = entry.attributes.ino;
});

describe('a file that never changes', () => {
  test('is opened once, and closed when it was retired and nobody has it open', async () => {
    const first = await files.open(ino);
    expect(isSlotHandle(first.handle)).toBe(true);
    expect(await files.open(ino)).toEqual({
      handle: first.handle,
      keepPages: true,
      backingId: 0,
    });
    expect(enter()).toBe(first.handle);
    expect(fileSystem.calls['open']).toBe(1);
    expect(Buffer.from(await files.read(first.handle, 1, 2)).toString()).toBe('ex');
    files.forget(ino);
    expect(enter()).toBeUndefined();
    for (let open = 0; open < 3; open += 1) {
      expect(fileSystem.owed().handles).toBe(1);
      files.release(first.handle);
    }
    expect(fileSystem.owed().handles).toBe(0);
    expect(() => files.release(first.handle)).toThrow(/no open file/);
    files.releaseAll();
    expect(fileSystem.owed().handles).toBe(0);
  });

  test('is not shared while bytes of it are not known to be right', async () => {
    const good = await files.open(ino);
    fileSystem.alter('/file', { content, timeout: Infinity, verified: false });
    // The threads still may; an open that is not verified ends that.
    files.forget(ino);
    const bad = await files.open(ino);
    expect(isSlotHandle(bad.handle)).toBe(false);
    expect(enter()).toBeUndefined();
    files.release(good.handle);
    files.release(bad.handle);
    files.releaseAll();
    expect(fileSystem.owed().handles).toBe(0);
  });
});

describe('wrong bytes', () => {
  test('are not found by an open that is answered afterwards', async () => {
    const before = await files.open(ino);
    let drop = (): void => undefined;
    files.distrust(ino, new Promise((resolve) => (drop = resolve)));
    expect(enter()).toBeUndefined();
    let answered = false;
    const open = files.open(ino).then((opened) => {
      answered = true;
      return opened;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(answered).toBe(false);
    drop();
    expect((await open).keepPages).toBe(false);
    files.release(before.handle);
    files.releaseAll();
    expect(fileSystem.owed().handles).toBe(0);
  });
});

test('only requests that lock the inode in the kernel hold a notice up', async () => {
  const inProgress = new InProgress();
  let end = (): void => undefined;
  const never = new Promise<void>(() => undefined);
  inProgress.add(ino, 'open', never);
  inProgress.add(ino, 'getattr', never);
  inProgress.add(ino + 1, 'read', never);
  await inProgress.unlocked(ino);
  inProgress.add(ino, 'read', new Promise((resolve) => (end = resolve)));
  let unlocked = false;
  const waiting = inProgress.unlocked(ino).then(() => (unlocked = true));
  // What comes later is not waited for.
  inProgress.add(ino, 'read', never);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(unlocked).toBe(false);
  end();
  await waiting;
});
