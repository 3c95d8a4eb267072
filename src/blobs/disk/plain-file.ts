import { type BigIntStats, constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { errnoOf } from './errors.js';

const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;

/** Without `O_NONBLOCK` opening a FIFO would wait for a writer for ever. */
const NEVER_FOLLOW = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/** What {@link openPlainFile} found. */
export type PlainFile =
  | { readonly file: FileHandle; readonly stat: BigIntStats }
  /** There is none. */
  | 'absent'
  /** A link, a device, a directory, or a file that another user owns or may write to. */
  | 'foreign';

/**
 * Open a file that nobody but us (or root) can have written.
 * @throws system errors other than those that say what it is
 */
export async function openPlainFile(path: string, { writable = false } = {}): Promise<PlainFile> {
  let file;
  try {
    file = await open(path, (writable ? O_RDWR : O_RDONLY) | NEVER_FOLLOW);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return 'absent';
    // ENXIO: a FIFO or a socket.
    if (['ELOOP', 'ENXIO', 'EISDIR', 'ENOTDIR', 'EACCES', 'EPERM'].includes(errno ?? '')) {
      return 'foreign';
    }
    throw error;
  }
  try {
    const stat = await file.stat({ bigint: true });
    if (stat.isFile() && isTrusted(stat)) return { file, stat };
    await file.close();
    return 'foreign';
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** Whether only this user or root may change a file or a directory. */
export function isTrusted({
  uid,
  mode,
}: {
  readonly uid: number | bigint;
  readonly mode: number | bigint;
}): boolean {
  const owner = Number(uid);
  return (owner === 0 || owner === process.geteuid?.()) && (Number(mode) & 0o022) === 0;
}

/**
 * Read into `target` until it is full.
 * @throws Error when the file ends before that, and system errors
 */
export async function readFully(
  file: FileHandle,
  target: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < target.length;) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw new Error(`The file ends at ${position + done} bytes.`);
    done += bytesRead;
  }
}

/**
 * Write all of `bytes`.
 * @throws system errors
 */
export async function writeFully(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/**
 * What lstat(2) tells about a path; undefined when nothing has it.
 * @throws system errors other than that
 */
export async function lstatIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
