import { randomBytes } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from './make-directory.js';

const KEY_BYTES = 32;

/** Name of the key's file in the state directory. */
export const INODE_KEY_FILE = 'inode-key';

/**
 * Make the state directory, for its owner only, where it does not exist.
 * @throws Error naming `--state-dir`
 */
export async function ensureStateDir(path: string): Promise<void> {
  try {
    await makeDirectory(path, 0o700);
  } catch (error) {
    throw new Error(
      `The state directory ${path} cannot be made (${(error as Error).message}): name another with --state-dir.`,
      { cause: error },
    );
  }
}

/**
 * The secret that inode numbers are derived with, made on first use. It is shared by all mounts of
 * this state directory, so that a blob has one inode number in all of them and after a remount.
 * @throws Error naming the file, when it is damaged or cannot be read
 */
export async function readInodeKey(stateDir: string): Promise<Buffer> {
  const path = join(stateDir, INODE_KEY_FILE);
  const key = (await readIfPresent(path)) ?? (await createKey(path));
  if (key.length !== KEY_BYTES) {
    throw new Error(
      `${path} must hold ${KEY_BYTES} bytes but holds ${key.length}: delete it, and the next mount makes a new one.`,
    );
  }
  return key;
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${path} cannot be read: ${(error as Error).message}.`, { cause: error });
  }
}

/**
 * Whole or not at all, and only one of several mounts that start at once makes it: the others read
 * the winner's. link(2) fails where rename(2) would replace.
 */
async function createKey(path: string): Promise<Buffer> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(randomBytes(KEY_BYTES));
    await file.sync();
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await file.close();
    await unlink(temporary);
  }
  return readFile(path);
}

/**
 * The log file of a mount in the background when `--log` names none. Escaped as systemd-escape(1)
 * escapes paths, so that no two mountpoints share a file.
 */
export function defaultLogFile(stateDir: string, mountpoint: string): string {
  const escaped = mountpoint
    .replace(/^\/+|\/+$/g, '')
    .replace(/[^A-Za-z0-9:_./]/g, (character) =>
      [...Buffer.from(character)]
        .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
        .join(''),
    )
    .replaceAll('/', '-');
  // 255 bytes is what file systems allow; the tail of a path says more than its head.
  return join(stateDir, 'log', `${escaped.slice(-200)}.log`);
}
