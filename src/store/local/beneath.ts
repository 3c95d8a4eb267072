/**
 * Opening files below a directory without following a link on the way. Node has no `openat`, so a
 * directory is opened with `O_NOFOLLOW` and its children are named through `/proc/self/fd/N/`,
 * which reaches exactly the opened directory whatever was renamed in the meantime.
 */
import { constants } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { errnoOf, rootFailure } from './failures.js';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;

/** Without `O_NONBLOCK` opening a FIFO would wait for a writer for ever. */
const READ_FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/**
 * The components of a key, or undefined when no file below a directory can have that key: empty,
 * `.` and `..` components, a NUL byte, a lone surrogate (which UTF-8 cannot say).
 */
export function splitKey(key: string): readonly string[] | undefined {
  if (/[\0\p{Cs}]/u.test(key)) return undefined;
  const components = key.split('/');
  return components.some((name) => name === '' || name === '.' || name === '..')
    ? undefined
    : components;
}

/** A path that names `child` in an opened directory; without `child`, the opened file itself. */
export function pathIn(directory: FileHandle, child?: string): string {
  return `/proc/self/fd/${directory.fd}${child === undefined ? '' : `/${child}`}`;
}

/** Open a regular file (or whatever has its name: the caller checks with `fstat`) for reading. */
export function openFileIn(directory: FileHandle, name: string): Promise<FileHandle> {
  return open(pathIn(directory, name), READ_FILE);
}

/**
 * Open the directory `components` below `root` and pass it to `use`; it is closed afterwards.
 * Links in `root` itself are followed: the administrator named it. With `create`, absent
 * directories are made.
 * @throws StoreError when `root` cannot be opened; system errors for everything below it.
 */
export async function withDirectory<T>(
  root: string,
  components: readonly string[],
  use: (directory: FileHandle) => Promise<T>,
  { create = false } = {},
): Promise<T> {
  let directory = await open(root, O_RDONLY | O_DIRECTORY).catch((error: unknown) => {
    throw rootFailure(error, root);
  });
  try {
    for (const name of components) {
      const child = await openDirectory(directory, name, create);
      const parent = directory;
      directory = child;
      await parent.close();
    }
    return await use(directory);
  } finally {
    await directory.close();
  }
}

async function openDirectory(parent: FileHandle, name: string, create: boolean) {
  const path = pathIn(parent, name);
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  try {
    return await open(path, flags);
  } catch (error) {
    if (!create || errnoOf(error) !== 'ENOENT') throw error;
  }
  try {
    await mkdir(path);
    await parent.sync();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  return open(path, flags);
}
