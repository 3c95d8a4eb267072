import { beforeEach, expect, test } from 'vitest';

import { MemoryFileSystem } from '../../../test/mount/support/memory-file-system.js';
import { OpenFiles } from './open-files.js';

const PATH = '/repo/index.json';
const nothingOwed = { references: 0, handles: 0 };
let fileSystem: MemoryFileSystem;
let openFiles: OpenFiles;

const file = (text: string) => ({ content: Buffer.from(text) });
const read = async (handle: number) => Buffer.from(await openFiles.read(handle, 0, 100)).toString();
/** Let go on what was started and not awaited, such as giving references back. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  fileSystem = new MemoryFileSystem();
  openFiles = new OpenFiles(fileSystem);
  fileSystem.put(PATH, file('first'));
});

test('a path means the version opened first until its last release, then the newest', async () => {
  const first = await openFiles.open(PATH);
  fileSystem.put(PATH, file('second!'));
  const second = await openFiles.open(PATH);
  expect([await read(first), await read(second)]).toEqual(['first', 'first']);
  expect(await openFiles.attributes(PATH)).toMatchObject({ size: 5 });

  openFiles.release(first);
  const third = await openFiles.open(PATH);
  expect(await read(third)).toBe('first');

  openFiles.release(second);
  openFiles.release(third);
  expect(openFiles.attributes(PATH)).toBeUndefined();
  expect(await read(await openFiles.open(PATH))).toBe('second!');
});

test('opens that race with a new version agree on one', async () => {
  const racing = [openFiles.open(PATH), openFiles.open(PATH)];
  fileSystem.put(PATH, file('second!'));
  racing.push(openFiles.open(PATH));
  const texts = await Promise.all((await Promise.all(racing)).map(read));
  expect(new Set(texts).size).toBe(1);
});

test('a version stays readable when its name is gone', async () => {
  const handle = await openFiles.open(PATH);
  fileSystem.remove(PATH);
  expect(await read(handle)).toBe('first');
  expect(await openFiles.attributes(PATH)).toMatchObject({ size: 5 });
  openFiles.release(handle);
  await expect(openFiles.open(PATH)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('every reference and handle is given back', async () => {
  const handle = await openFiles.open(PATH);
  // The pin's own; those of the directories on the way are back already.
  expect(fileSystem.owed()).toEqual({ references: 1, handles: 1 });
  openFiles.release(handle);
  await settled();
  expect(fileSystem.owed()).toEqual(nothingOwed);
});

test('a failed open owes nothing and does not pin', async () => {
  await expect(openFiles.open('/repo/none')).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(openFiles.open(`${PATH}/x`)).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(openFiles.open('/repo')).rejects.toMatchObject({ code: 'EISDIR' });
  fileSystem.put('/repo/bad', { ...file('x'), failOpen: 'EIO' });
  await expect(openFiles.open('/repo/bad')).rejects.toMatchObject({ code: 'EIO' });
  await settled();
  expect(fileSystem.owed()).toEqual(nothingOwed);
  expect(openFiles.attributes('/repo/bad')).toBeUndefined();
});

test('handles fit a C int and are not 0, whatever the tree uses', async () => {
  const handles = [await openFiles.open(PATH), await openFiles.open(PATH)];
  expect(handles).toEqual([1, 2]);
});

test('an unknown handle is EBADF', async () => {
  await expect(openFiles.read(99, 0, 1)).rejects.toMatchObject({ code: 'EBADF' });
  await expect(openFiles.handleAttributes(99)).rejects.toMatchObject({ code: 'EBADF' });
  expect(() => openFiles.release(99)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});

test('the end of the mount releases what the kernel did not', async () => {
  await openFiles.open(PATH);
  await openFiles.open(PATH);
  openFiles.releaseAll();
  await settled();
  expect(fileSystem.owed()).toEqual(nothingOwed);
});

test('the attributes of a handle carry a fleeting time once, when its open drops pages', async () => {
  fileSystem.alter(PATH, { ...file('first'), verified: false });
  openFiles.release(await openFiles.open(PATH));
  fileSystem.alter(PATH, file('first'));

  const handle = await openFiles.open(PATH);
  const { mtime } = (await openFiles.attributes(PATH)) ?? {};
  const asked = await openFiles.handleAttributes(handle);
  expect(asked).toMatchObject({ size: 5, kind: 'file' });
  expect(asked.mtime).not.toBe(mtime);
  expect((await openFiles.handleAttributes(handle)).mtime).toBe(mtime);
  await read(handle);
  openFiles.release(handle);

  const trusted = await openFiles.open(PATH);
  expect((await openFiles.handleAttributes(trusted)).mtime).toBe(mtime);
});
