import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { type Mount, parseMountTable, topMount } from '../mount-table.js';

/** For umount at the end of the process. */
const UMOUNT_DEADLINE_MS = 5000;

/**
 * See to it that this process can end while the mount is there, as after an unexpected error: Node
 * waits for its threads at its end, and they block in the kernel until the mount has ended. Unlike
 * plain unmounting, this fails what readers have in progress; nobody would answer it.
 * @returns to be called when the mount has ended
 */
export function guardExit(mount: Mount): () => void {
  const end = (): void => {
    const mounts = parseMountTable(readFileSync('/proc/self/mountinfo', 'utf8'));
    const top = topMount(mounts, mount.mountpoint);
    if (top?.id === mount.id && top.device === mount.device) {
      // Force aborts the connection, which wakes the threads; lazy takes it away though it is busy.
      const args = ['-f', '-l', '--', mount.mountpoint];
      const { status } = spawnSync('umount', args, { timeout: UMOUNT_DEADLINE_MS });
      if (status === 0) return;
    }
    // Detached but in use, or covered by another mount. Only a signal ends the process now.
    process.kill(process.pid, 'SIGKILL');
  };
  process.on('exit', end);
  return () => process.off('exit', end);
}
