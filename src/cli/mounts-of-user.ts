import { readFile } from 'node:fs/promises';
import type { MountStatus } from '../daemon/status.js';
import { type Mount, parseMountTable, readMountTable, topMount } from '../fuse/mount-table.js';
import { FS_TYPE, inspectMountpoint, type Mountpoint } from '../fuse/mountpoint.js';
import { runCommand } from '../fuse/run-command.js';

/**
 * Mark the mounts that their daemon's mount table no longer has: after a lazy unmount a daemon
 * serves on until nobody has anything open. Of several at one place the one started last is there.
 */
export async function markDetached(statuses: readonly MountStatus[]): Promise<MountStatus[]> {
  const sorted = [...statuses].sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
  const marked: MountStatus[] = [];
  for (const [position, one] of sorted.entries()) {
    const replaced = sorted
      .slice(position + 1)
      .some((other) => other.mountpoint === one.mountpoint);
    const detached = one.state === 'ready' && (replaced || !(await hasMount(one)));
    marked.push(detached ? { ...one, state: 'detached' } : one);
  }
  return marked;
}

/** By the daemon's own mount table, since it may live in another mount namespace than we do. */
async function hasMount({ pid, mountpoint }: MountStatus): Promise<boolean> {
  try {
    const mounts = parseMountTable(await readFile(`/proc/${pid}/mountinfo`, 'utf8'));
    return topMount(mounts, mountpoint)?.fsType === FS_TYPE;
  } catch {
    // It has ended meanwhile, or is hidden from us: then nothing is known against it.
    return true;
  }
}

/** A sentence for each layoutfs of this user in the mount table whose daemon is dead. */
export async function findDead(uid: number, alive: readonly MountStatus[]): Promise<string[]> {
  const known = new Set(alive.map(({ mountpoint }) => mountpoint));
  const others = (await readMountTable()).filter(
    (mount) => mount.fsType === FS_TYPE && ownerOf(mount) === uid && !known.has(mount.mountpoint),
  );
  const found = await Promise.all(others.map((mount) => inspectMountpoint(mount.mountpoint)));
  return found.flatMap((one) =>
    one.kind === 'layoutfs' && one.state === 'stale' ? [staleSentence(one.path)] : [],
  );
}

function staleSentence(path: string): string {
  return `The mount on ${path} is stale: its daemon was killed. Take it away with: layoutfs umount ${path}`;
}

/** Why nobody answers for what is at a path. */
export async function explainUnasked(found: Mountpoint, uid: number): Promise<Error> {
  if (found.kind !== 'layoutfs') return new Error(`No layoutfs is mounted on ${found.path}.`);
  if (found.state === 'stale') return new Error(staleSentence(found.path));
  const owner = ownerOf(found.mount);
  const why =
    owner === undefined || owner === uid
      ? 'it has no control socket'
      : `it belongs to ${await userName(owner)}`;
  return new Error(`The mount on ${found.path} cannot be asked: ${why}.`);
}

/** The user who mounted, as FUSE notes it (`user_id=` of mount.fuse(8)). */
export function ownerOf({ options }: Mount): number | undefined {
  const noted = options.find((option) => option.startsWith('user_id='));
  return noted === undefined ? undefined : Number(noted.slice('user_id='.length));
}

/** "user 1000 (alice)", or without a name where none is known. */
export async function userName(uid: number): Promise<string> {
  const result = await runCommand('id', ['-un', String(uid)], 3000);
  const name = result.kind === 'exited' && result.code === 0 ? ` (${result.output})` : '';
  return `user ${uid}${name}`;
}
