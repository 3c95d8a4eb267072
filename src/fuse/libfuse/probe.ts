import { constants } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { loadFuseNative } from './fuse-native.js';

/** What `doctor` tells about this transport. */
export interface TransportProbe {
  /** A mount can be expected to work. */
  readonly usable: boolean;
  /** What is missing, one full sentence each with what to do; empty if usable. */
  readonly problems: string[];
}

/** Number of CAP_SYS_ADMIN in <linux/capability.h>. */
const CAP_SYS_ADMIN = 21n;

/**
 * Whether this process could mount through libfuse. Mounts nothing.
 * @param options.allowOther also check what letting other users in needs
 */
export async function probeLibfuse({ allowOther = false } = {}): Promise<TransportProbe> {
  const isRoot = process.getuid?.() === 0;
  const checks = [
    loadProblem(),
    deviceProblem(),
    ...(isRoot ? [capabilityProblem()] : [fusermountProblem()]),
    ...(allowOther && !isRoot ? [allowOtherProblem()] : []),
  ];
  const problems = (await Promise.all(checks)).filter((problem) => problem !== undefined);
  return { usable: problems.length === 0, problems };
}

type Problem = Promise<string | undefined>;

async function loadProblem(): Problem {
  try {
    await Promise.resolve(loadFuseNative());
    return undefined;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}.`;
  }
}

async function deviceProblem(): Problem {
  try {
    await (await open('/dev/fuse', constants.O_RDWR)).close();
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      return 'The device /dev/fuse is missing: load the kernel module with "modprobe fuse", or in a container add "--device /dev/fuse".';
    }
    return `The device /dev/fuse cannot be opened (${code}): let your user in with "chmod 0666 /dev/fuse", or mount as root.`;
  }
}

/** In a container, root often may not mount. */
async function capabilityProblem(): Problem {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (effective === undefined || (BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) return undefined;
  return 'This process is root but lacks the capability CAP_SYS_ADMIN, which mounting needs: in a container add "--cap-add SYS_ADMIN".';
}

/** libfuse 2.9 mounts for ordinary users by the program `fusermount`, by that very name. */
async function fusermountProblem(): Problem {
  for (const directory of (process.env['PATH'] ?? '/usr/bin:/bin').split(delimiter)) {
    const program = join(directory, 'fusermount');
    const found = await stat(program).catch(() => undefined);
    if (found === undefined) continue;
    // S_ISUID: without it the program may not mount for others.
    if ((found.mode & 0o4000) !== 0 && found.uid === 0) return undefined;
    return `The program ${program} is not set-user-ID root, so it cannot mount for you: run "chmod u+s ${program}" as root, or mount as root.`;
  }
  return 'The program fusermount, which mounts for ordinary users, is not installed; install it with: apt-get install fuse3.';
}

async function allowOtherProblem(): Problem {
  const text = await readFile('/etc/fuse.conf', 'utf8').catch(() => '');
  if (/^\s*user_allow_other\s*$/m.test(text)) return undefined;
  return 'Letting other users in (--allow-other) needs the line "user_allow_other" in /etc/fuse.conf, or mount as root.';
}
