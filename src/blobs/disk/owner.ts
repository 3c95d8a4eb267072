import { readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/**
 * Who writes a partial blob, in its file's name: boot, PID namespace, process, its start, and which
 * cache of that process. So another process can tell whether the owner still lives. A wrong answer
 * costs a fetch and nothing else: two that write the same file both write what they verify.
 */

/** How long an owner whose process cannot be looked up is believed to live without a sign, in ms. */
export const LEASE_MS = 180_000;

/** How often signs of life are renewed, in ms. */
export const RENEWAL_MS = 60_000;

const live = new Set<string>();
let made = 0;

/** A new owner in this process. */
export function newOwner(): string {
  made += 1;
  const owner = [
    ...hereAndNow(),
    process.pid,
    startOf(readFileSync('/proc/self/stat', 'utf8')),
    made,
  ].join('.');
  live.add(owner);
  return owner;
}

/** The owner writes nothing any more. */
export function retireOwner(owner: string): void {
  live.delete(owner);
}

/**
 * Whether an owner still writes.
 * @param lastSign when its file was last written or touched, ms since the epoch
 */
export async function isOwnerAlive(owner: string, lastSign: number): Promise<boolean> {
  if (live.has(owner)) return true;
  const [boot, namespace, pid, start] = owner.split('.');
  const [ourBoot, ourNamespace] = hereAndNow();
  // The directory is on a local disk, so another boot means an earlier one.
  if (boot !== ourBoot) return false;
  if (namespace !== ourNamespace) return Date.now() - lastSign < LEASE_MS;
  if (Number(pid) === process.pid) return false;
  try {
    const stat = await readFile(`/proc/${Number(pid)}/stat`, 'utf8');
    return startOf(stat) === start && !hasEnded(stat);
  } catch {
    return false;
  }
}

/** Boot and PID namespace, each in a few characters. */
function hereAndNow(): readonly [string, string] {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  return [boot.slice(0, 8), namespace];
}

/** Field 3 of /proc/PID/stat (proc(5)): whether nothing is left but an entry for its parent. */
function hasEnded(stat: string): boolean {
  return /^[ZX]/.test(fieldsOf(stat)[0] ?? '');
}

/** Field 22 of /proc/PID/stat: when the process started. */
function startOf(stat: string): string {
  return fieldsOf(stat)[19] ?? '0';
}

/** The fields after the second one, the name, which may hold spaces. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
