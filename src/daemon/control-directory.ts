import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runtimeDirs, type User } from '../config/directories.js';
import { makeDirectory } from './make-directory.js';

/** Linux's sockaddr_un holds 108 bytes, the last of them a NUL (unix(7)). */
const MAX_SOCKET_PATH = 107;

/**
 * The path of this process's control socket, in the first runtime directory that can be used,
 * which is made when it is missing. The name tells the mountpoint (by hash) and the process.
 * @throws Error when no directory will do
 */
export async function controlSocketPath(
  mountpoint: string,
  environment: NodeJS.ProcessEnv,
  user: User,
): Promise<string> {
  const reasons: string[] = [];
  for (const directory of runtimeDirs(environment, user)) {
    const path = join(directory, `${mountpointHash(mountpoint)}-${process.pid}.sock`);
    const reason =
      Buffer.byteLength(path) > MAX_SOCKET_PATH
        ? `${directory} is too long a path for a socket`
        : await whyUnusable(directory, user);
    if (reason === undefined) return path;
    reasons.push(reason);
  }
  throw new Error(`There is no place for the control socket: ${reasons.join('; ')}.`);
}

/**
 * The control sockets of this user's mounts, of one mountpoint or of all. Some may be left over
 * from daemons that were killed.
 */
export async function listControlSockets(
  environment: NodeJS.ProcessEnv,
  user: User,
  mountpoint?: string,
): Promise<readonly string[]> {
  const prefix = mountpoint === undefined ? '' : `${mountpointHash(mountpoint)}-`;
  const found: string[] = [];
  for (const directory of runtimeDirs(environment, user)) {
    if ((await whoseDirectory(directory)) !== user.uid) continue;
    const names = await readdir(directory);
    const sockets = names.filter((name) => name.startsWith(prefix) && name.endsWith('.sock'));
    found.push(...sockets.sort().map((name) => join(directory, name)));
  }
  return found;
}

function mountpointHash(mountpoint: string): string {
  return createHash('sha256').update(mountpoint).digest('hex').slice(0, 16);
}

/**
 * Undefined when `directory` is ours alone. Anybody may make `/tmp/layoutfs-<uid>` before us: what
 * belongs to somebody else, is a link, or is open to others is not used.
 */
async function whyUnusable(directory: string, user: User): Promise<string | undefined> {
  try {
    await makeDirectory(directory, 0o700);
    const { uid, mode } = await lstat(directory);
    if (!isDirectory(mode)) return `${directory} is not a directory`;
    if (uid !== user.uid) return `${directory} belongs to user ${uid}`;
    return (mode & 0o022) === 0 ? undefined : `${directory} can be written by others`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The owner of a directory; undefined for anything else and where there is nothing. */
async function whoseDirectory(path: string): Promise<number | undefined> {
  try {
    const { uid, mode } = await lstat(path);
    return isDirectory(mode) ? uid : undefined;
  } catch {
    return undefined;
  }
}

const isDirectory = (mode: number) => (mode & 0o170000) === 0o040000;
