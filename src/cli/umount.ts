import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentUser } from '../config/directories.js';
import { askMounts } from '../daemon/control-client.js';
import { inspectMountpoint } from '../fuse/mountpoint.js';
import { unmount } from '../fuse/unmount.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { ownerOf, userName } from './mounts-of-user.js';
import type { CommandContext } from './program.js';

/** A daemon that has been unmounted has only sockets left to close. */
const GONE_MS = 20_000;

/** A daemon that gave no answer is asked once more, for this long: the machine may be busy. */
const HANGS_MS = 10_000;

/**
 * Run the command.
 * @throws MountError when it is busy or cannot be unmounted, Error when nothing is mounted there
 */
export async function umount(
  { terminal }: CommandContext,
  mountpoint: string,
  { lazy }: { lazy: boolean },
): Promise<ExitCode> {
  const found = await inspectMountpoint(mountpoint);
  if (found.kind === 'missing') throw new Error(`${found.path} does not exist.`);
  if (found.kind === 'foreign') {
    throw new Error(
      `What is mounted on ${found.path} is no layoutfs but ${found.mount.fsType} (${found.mount.source}): use umount ${found.path}.`,
    );
  }
  if (found.kind !== 'layoutfs') throw new Error(`Nothing is mounted on ${found.path}.`);
  const { uid } = currentUser();
  const owner = ownerOf(found.mount);
  if (uid !== 0 && owner !== undefined && owner !== uid) {
    throw new Error(
      `The mount on ${found.path} belongs to ${await userName(owner)}: unmount it as that user or as root, with: sudo layoutfs umount ${found.path}`,
    );
  }
  const answers = await askMounts(terminal.environment, currentUser(), found.path);
  const pids = answers.flatMap((answer) => ('status' in answer ? [answer.status.pid] : []));
  // A dead daemon can only be detached; nobody can have anything open that still works.
  const dead = found.state === 'stale' || found.state === 'silent';
  // What its readers wait for never comes; those of one that lives are left in peace.
  const force = found.state === 'silent' && pids.length === 0 && (await hangs(found.path));
  const outcome = await unmount(found.path, {
    lazy: lazy || dead,
    force,
    failWhenBusy: !lazy && !dead,
  });
  // One that readers still use lives on until they close what they have open.
  if (outcome === 'unmounted' || dead) await waitUntilGone(pids);
  if (found.state === 'stale') {
    terminal.err(`layoutfs: The mount on ${found.path} was stale: its daemon had been killed.\n`);
  }
  return EXIT.done;
}

async function hangs(mountpoint: string): Promise<boolean> {
  const found = await inspectMountpoint(mountpoint, HANGS_MS);
  return found.kind === 'layoutfs' && found.state === 'silent';
}

/** @throws Error naming a process that does not end */
async function waitUntilGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + GONE_MS;
  for (const pid of pids) {
    while (await isAlive(pid)) {
      if (Date.now() > deadline) {
        throw new Error(
          `It is unmounted here, but its daemon (process ${pid}) has not ended: a container that was started meanwhile may still have the mount in its mount namespace.`,
        );
      }
      await sleep(20);
    }
  }
}

/** A process that has ended but was not waited for yet (state Z of proc(5)) counts as gone. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field, the program's name in parentheses, may contain anything.
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')));
  } catch {
    return false;
  }
}
