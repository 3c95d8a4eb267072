import { closeSync, openSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';

import { capabilityProblem, type Problem } from '../host-problems.js';
import { codeOf } from './device.js';
import { backingOpen, loadSystemCalls } from './system-calls.js';

/** `f_type` of statfs(2), of <linux/magic.h>, for file systems that lie on another one. */
const STACKED: ReadonlyMap<number, string> = new Map([
  [0x794c7630, 'overlayfs'],
  [0xf15f, 'ecryptfs'],
]);

/** `/proc/self/uid_map` where users are who they say. */
const ALL_USERS = /^\s*0\s+0\s+4294967295\s*$/;

/**
 * What keeps the kernel from reading complete cached blobs by itself. Mounts nothing.
 * @param cacheDir the directory of the cache, made or not, if one is meant
 */
export async function passthroughProblem(cacheDir?: string): Problem {
  return (
    (await userProblem()) ??
    koffiLack() ??
    kernelProblem() ??
    (cacheDir === undefined ? undefined : await directoryProblem(cacheDir))
  );
}

/**
 * The name of the file system that a path is on, or would be on if it were made, when that lies on
 * another one: the kernel takes no file from there.
 * @throws errors of statfs(2)
 */
export async function stackedFileSystem(path: string): Promise<string | undefined> {
  try {
    return STACKED.get((await statfs(path)).type);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return stackedFileSystem(dirname(path));
  }
}

/** The kernel asks for CAP_SYS_ADMIN of the host itself. */
async function userProblem(): Problem {
  if (process.getuid?.() !== 0 || (await capabilityProblem()) !== undefined) {
    return 'Only root, with CAP_SYS_ADMIN, may hand files to the kernel.';
  }
  const users = await readFile('/proc/self/uid_map', 'utf8').catch(() => '');
  if (users === '' || ALL_USERS.test(users)) return undefined;
  return 'Root of a user namespace, as in a rootless container, may not hand files to the kernel.';
}

function koffiLack(): string | undefined {
  try {
    loadSystemCalls();
    return undefined;
  } catch {
    return 'Handing files to the kernel needs the npm package koffi; install it with: npm install koffi@3';
  }
}

/** What the kernel says to a file that is handed to a device which nobody has mounted. */
function kernelProblem(): string | undefined {
  let device: number | undefined;
  try {
    device = openSync('/dev/fuse', 'r+');
    backingOpen(device, device);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    // Not mounted, else it would be fine: fuse_get_dev() comes first in fs/fuse/dev.c.
    if (code === 'EPERM') return undefined;
    if (code === 'ENOTTY' || code === 'ENOSYS' || code === 'EINVAL') {
      return `Linux ${release()} takes no files: 6.9 or newer does.`;
    }
    if (code === 'EOPNOTSUPP') return 'This kernel was built without CONFIG_FUSE_PASSTHROUGH.';
    return `The kernel cannot be asked whether it takes files (${code ?? String(error)}).`;
  } finally {
    if (device !== undefined) closeSync(device);
  }
}

async function directoryProblem(directory: string): Problem {
  try {
    const name = await stackedFileSystem(directory);
    if (name === undefined) return undefined;
    return `The cache directory ${directory} is on ${name}, from which the kernel takes no files: put it on a plain file system, in a container on a volume.`;
  } catch (error) {
    return `The file system of the cache directory ${directory} cannot be found out (${codeOf(error) ?? String(error)}).`;
  }
}
