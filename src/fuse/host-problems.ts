import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';

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

/** The answer of a probe that made these checks. */
export async function probeOf(checks: readonly Problem[]): Promise<TransportProbe> {
  const problems = (await Promise.all(checks)).filter((problem) => problem !== undefined);
  return { usable: problems.length === 0, problems };
}
