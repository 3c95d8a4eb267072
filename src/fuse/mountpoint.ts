import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { handedDescriptor, requireDevice } from './handed-device.js';
import { type Mount, readMountTable, topMount } from './mount-table.js';
import { runCommand } from './run-command.js';
import { MountError } from './transport.js';
import { unmount } from './unmount.js';

/** What follows `fuse.` in the type of our mounts. */
export const SUBTYPE = 'layoutfs';

/** The type of our mounts in the mount table, whichever transport made them. */
export const FS_TYPE = `fuse.${SUBTYPE}`;

/** What is at a path that shall be, or is, a mountpoint. `path` has no symbolic links in it. */
export type Mountpoint =
  /** A directory with nothing mounted on it; `empty` if it has no entries. */
  | { readonly kind: 'free'; readonly path: string; readonly empty: boolean }
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'notDirectory'; readonly path: string }
  /** It cannot be looked at; `reason` is the errno code. */
  | { readonly kind: 'inaccessible'; readonly path: string; readonly reason: string }
  /** Another file system is mounted there. */
  | { readonly kind: 'foreign'; readonly path: string; readonly mount: Mount }
  /**
   * A layoutfs is mounted there. `live` if it answers; `stale` if its daemon is dead and every call
   * fails with "Transport endpoint is not connected"; `silent` if it gave no answer in time;
   * `closed` if it lets only another user in, so that it cannot be told.
   */
  | {
      readonly kind: 'layoutfs';
      readonly path: string;
      readonly mount: Mount;
      readonly state: 'live' | 'stale' | 'silent' | 'closed';
    };

/**
 * Find out what is at `path` without ever waiting for a mount that does not answer: the mount table
 * is asked first, and a mount is touched only by a process of its own, for at most `deadlineMs`.
 */
export async function inspectMountpoint(path: string, deadlineMs = 3000): Promise<Mountpoint> {
  const mounts = await readMountTable();
  let canonical: string;
  try {
    canonical = await canonicalPath(path, mounts);
  } catch (error) {
    const reason = codeOf(error);
    const absolute = resolve(path);
    if (reason === 'ENOENT') return { kind: 'missing', path: absolute };
    if (reason === 'ENOTDIR') return { kind: 'notDirectory', path: absolute };
    return { kind: 'inaccessible', path: absolute, reason };
  }
  const mount = topMount(mounts, canonical);
  if (mount === undefined) return inspectPlain(canonical);
  if (mount.fsType !== FS_TYPE) return { kind: 'foreign', path: canonical, mount };
  return { kind: 'layoutfs', path: canonical, mount, state: await probe(canonical, deadlineMs) };
}

/**
 * Take away what a dead daemon left at `mountpoint`. A mount that is not a stale layoutfs is left
 * alone.
 * @returns whether there was something to take away
 * @throws MountError
 */
export async function cleanStale(mountpoint: string): Promise<boolean> {
  const found = await inspectMountpoint(mountpoint);
  if (found.kind !== 'layoutfs' || found.state !== 'stale') return false;
  await unmount(found.path, { lazy: true });
  return true;
}

/**
 * Check that `mountpoint` can be mounted on, after taking away a stale layoutfs. What somebody else has
 * mounted for us, given as `/dev/fd/N`, need only be a FUSE device.
 * @returns its path without symbolic links
 * @throws MountError which says what is in the way
 */
export async function prepareMountpoint(mountpoint: string): Promise<string> {
  const handed = handedDescriptor(mountpoint);
  if (handed !== undefined) {
    requireDevice(handed);
    return `/dev/fd/${handed}`;
  }
  await cleanStale(mountpoint);
  const found = await inspectMountpoint(mountpoint);
  switch (found.kind) {
    case 'free':
      if (found.empty) return found.path;
      throw new MountError(
        `The mountpoint ${found.path} is not empty; what is in it would be hidden. Choose an empty directory.`,
      );
    case 'missing':
      throw new MountError(
        `The mountpoint ${found.path} does not exist; make it with: mkdir -p ${found.path}`,
      );
    case 'notDirectory':
      throw new MountError(`The mountpoint ${found.path} is not a directory; choose a directory.`);
    case 'inaccessible':
      throw new MountError(
        `The mountpoint ${found.path} cannot be accessed (${found.reason}); choose a directory that you may read and write.`,
      );
    case 'foreign':
      // A mounted volume is as good as any other directory.
      return requireEmpty(found.path, found.mount);
    case 'layoutfs':
      throw new MountError(
        `A layoutfs of ${found.mount.source} is already mounted on ${found.path}; unmount it first with: layoutfs umount ${found.path}`,
      );
  }
}

async function requireEmpty(path: string, mount: Mount): Promise<string> {
  // By a process of its own: the other file system may be one that does not answer.
  const listed = await runCommand('ls', ['-A', '--', path], 3000);
  if (listed.kind === 'exited' && listed.code === 0 && listed.output === '') return path;
  throw new MountError(
    `The mountpoint ${path} is in use: ${mount.source} (${mount.fsType}) is mounted there and is not an empty directory. Choose another mountpoint.`,
  );
}

/** What is at a path that is no FUSE mount. */
async function inspectPlain(path: string): Promise<Mountpoint> {
  try {
    const found = await lstat(path);
    if (!found.isDirectory()) return { kind: 'notDirectory', path };
    return { kind: 'free', path, empty: (await readdir(path)).length === 0 };
  } catch (error) {
    const reason = codeOf(error);
    if (reason === 'ENOENT') return { kind: 'missing', path };
    if (reason === 'ENOTDIR') return { kind: 'notDirectory', path };
    return { kind: 'inaccessible', path, reason };
  }
}

/**
 * `path` without symbolic links. Its last component is not touched if something is mounted there.
 * @throws NodeJS.ErrnoException when a directory on the way is missing or closed
 */
async function canonicalPath(path: string, mounts: readonly Mount[]): Promise<string> {
  let current = resolve(path);
  // As many links as Linux follows (ELOOP beyond).
  for (let links = 0; links < 40; links += 1) {
    if (current === '/') return current;
    current = join(await realpath(dirname(current)), basename(current));
    if (topMount(mounts, current) !== undefined) return current;
    const found = await lstat(current).catch(() => undefined);
    if (found?.isSymbolicLink() !== true) return current;
    current = resolve(dirname(current), await readlink(current));
  }
  return current;
}

/**
 * Ask a mount whether it answers, in a process that may hang without harm: for its root's attributes,
 * which tell who is let in, and for its size, which the kernel remembers of no mount.
 */
async function probe(
  path: string,
  deadlineMs: number,
): Promise<'live' | 'stale' | 'silent' | 'closed'> {
  const begin = performance.now();
  let result = await runCommand('stat', ['--', path], deadlineMs);
  if (result.kind === 'exited' && result.code === 0) {
    const left = Math.max(1, deadlineMs - (performance.now() - begin));
    result = await runCommand('stat', ['-f', '--', path], left);
  }
  if (result.kind === 'timedOut') return 'silent';
  if (result.kind === 'notFound' || result.code === 0) return 'live';
  // The text of ENOTCONN in glibc and in musl.
  if (/endpoint is not connected|socket not connected/i.test(result.output)) return 'stale';
  return /permission denied/i.test(result.output) ? 'closed' : 'live';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
}
