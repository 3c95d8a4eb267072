import { fstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { type Mount, readMountTable } from './mount-table.js';
import { MountError } from './transport.js';

/** `st_rdev` of /dev/fuse: character device 10, 229 (Documentation/admin-guide/devices.txt). */
const FUSE_RDEV = (10 << 8) | 229;

/**
 * The number of an open, mounted /dev/fuse that was handed to this process, where the mountpoint is
 * given as `/dev/fd/N`; undefined for any other path. Mounting programs that give up their
 * privileges first write it so: `mount.fuse3 -o drop_privileges`, container runtimes.
 */
export function handedDescriptor(mountpoint: string): number | undefined {
  const [, number] = /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/.exec(resolve(mountpoint)) ?? [];
  return number === undefined ? undefined : Number(number);
}

/**
 * Check that a descriptor is a /dev/fuse.
 * @throws MountError
 */
export function requireDevice(fd: number): void {
  let rdev: number | undefined;
  try {
    rdev = fstatSync(fd).rdev;
  } catch {
    // Not open.
  }
  if (rdev === FUSE_RDEV) return;
  throw new MountError(
    `The file descriptor ${fd} is ${rdev === undefined ? 'not open' : 'no /dev/fuse'}: hand over a /dev/fuse that is mounted already, as "mount.fuse3 -o drop_privileges" does, or name a directory.`,
  );
}

/**
 * The mount behind a handed device, as far as this process sees it: where a container was given the
 * device alone, the mount is somewhere else. Linux tells since 5.19.
 */
export async function mountOfDevice(fd: number): Promise<Mount | undefined> {
  const info = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '');
  const [, connection] = /^fuse_connection:\s*(\d+)$/m.exec(info) ?? [];
  if (connection === undefined) return undefined;
  // The connection's number is the minor number of the file system's device.
  const mounts = await readMountTable();
  return mounts.find(({ device }) => device === `0:${connection}`);
}

/** Where people see the mount that is made at `mountpoint`: for a handed device, where it is mounted. */
export async function shownMountpoint(mountpoint: string): Promise<string> {
  const handed = handedDescriptor(mountpoint);
  const mount = handed === undefined ? undefined : await mountOfDevice(handed);
  return mount?.mountpoint ?? mountpoint;
}
