import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { type Mount, parseMountTable, topMount } from '../mount-table.js';
import { FUSERMOUNT } from './fusermount.js';
import { leaveAtOnce } from './system-calls.js';

/** For unmounting at the end of the process. */
const UMOUNT_DEADLINE_MS = 5000;

/**
 * See to it that this process can end while the mount is there, as after an unexpected error: Node
 * waits for its threads at its end, and they block in the kernel until the mount has ended. Unlike
 * plain unmounting, this fails what readers have in progress; nobody would answer it.
 * @param mount ours, to be taken away; undefined where somebody else has mounted and will unmount
 * @returns to be called when the mount has ended
 */
export function guardExit(mount: Mount | undefined): () => void {
  const end = (code: number): void => {
    if (mount !== undefined && isOnTop(mount) && takeAway(mount.mountpoint)) return;
    // Nothing has woken the threads. The end of the process closes the device, and thereby ends the
    // connection.
    leaveAtOnce(code);
  };
  process.on('exit', end);
  return () => process.off('exit', end);
}

/** Neither gone, as after it was detached, nor covered by another mount. */
function isOnTop(mount: Mount): boolean {
  const mounts = parseMountTable(readFileSync('/proc/self/mountinfo', 'utf8'));
  const top = topMount(mounts, mount.mountpoint);
  return top?.id === mount.id && top.device === mount.device;
}

/** @returns whether the connection was aborted, which wakes the threads; only root can do that */
function takeAway(mountpoint: string): boolean {
  const options = { timeout: UMOUNT_DEADLINE_MS };
  if (process.getuid?.() === 0) {
    // Force aborts the connection; lazy takes the mount away though it is busy.
    return spawnSync('umount', ['-f', '-l', '--', mountpoint], options).status === 0;
  }
  for (const program of FUSERMOUNT) {
    if (spawnSync(program, ['-u', '-z', '--', mountpoint], options).error === undefined) break;
  }
  return false;
}
