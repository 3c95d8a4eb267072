import { constants } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** What `doctor` tells about a transport. */
export interface TransportProbe {
  /** A mount can be expected to work. */
  readonly usable: boolean;
  /** What is missing, one full sentence each with what to do; empty if usable. */
  readonly problems: string[];
}

/** A full sentence that says what is missing and what to do, or undefined if all is well. */
export type Problem = Promise<string | undefined>;

/** Number of CAP_SYS_ADMIN in <linux/capability.h>. */
const CAP_SYS_ADMIN = 21n;

/** What is in the way of opening /dev/fuse. */
export async function deviceProblem(): Problem {
  try {
    await (await open('/dev/fuse', constants.O_RDWR)).close();
    return undefined;
  } catch (error) {
    return explainDevice(error instanceof Error && 'code' in error ? String(error.code) : 'EIO');
  }
}

/** A sentence on why /dev/fuse could not be opened, from the errno code. */
export function explainDevice(code: string): string {
  if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
    return 'The device /dev/fuse is missing: load the kernel module with "modprobe fuse", or in a container add "--device /dev/fuse".';
  }
  return `The device /dev/fuse cannot be opened (${code}): let your user in with "chmod 0666 /dev/fuse", or mount as root.`;
}

/** In a container, root often may not mount. */
export async function capabilityProblem(): Problem {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (effective === undefined || (BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) return undefined;
  return 'This process is root but lacks the capability CAP_SYS_ADMIN, which mounting needs: in a container add "--cap-add SYS_ADMIN".';
}

/**
 * What is in the way of mounting as an ordinary user by a set-user-ID program.
 * @param names of the program; the first that is installed is used
 */
export async function fusermountProblem(names: readonly [string, ...string[]]): Problem {
  const program = await findProgram(names);
  if (program === undefined) {
    return `The program ${names[0]}, which mounts for ordinary users, is not installed; install it with: apt-get install fuse3.`;
  }
  // S_ISUID: without it the program may not mount for others.
  if ((program.mode & 0o4000) !== 0 && program.uid === 0) return undefined;
  return `The program ${program.path} is not set-user-ID root, so it cannot mount for you: run "chmod u+s ${program.path}" as root, or mount as root.`;
}

async function findProgram(
  names: readonly string[],
): Promise<{ path: string; mode: number; uid: number } | undefined> {
  const directories = (process.env['PATH'] ?? '/usr/bin:/bin').split(delimiter);
  for (const path of names.flatMap((name) => directories.map((one) => join(one, name)))) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) return { path, mode: found.mode, uid: found.uid };
  }
  return undefined;
}

/** What is in the way of an ordinary user who lets other users in. */
export async function allowOtherProblem(): Problem {
  const text = await readFile('/etc/fuse.conf', 'utf8').catch(() => '');
  if (/^\s*user_allow_other\s*$/m.test(text)) return undefined;
  return 'Letting other users in (--allow-other) needs the line "user_allow_other" in /etc/fuse.conf, or mount as root.';
}

/** The answer of a probe that made these checks. */
export async function probeOf(checks: readonly Problem[]): Promise<TransportProbe> {
  const problems = (await Promise.all(checks)).filter((problem) => problem !== undefined);
  return { usable: problems.length === 0, problems };
}
