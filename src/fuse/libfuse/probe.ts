import { readFile, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import {
  capabilityProblem,
  deviceProblem,
  type Problem,
  probeOf,
  type TransportProbe,
} from '../host-problems.js';
import { loadFuseNative } from './fuse-native.js';

/**
 * Whether this process could mount through libfuse. Mounts nothing.
 * @param options.allowOther also check what letting other users in needs
 */
export function probeLibfuse({ allowOther = false } = {}): Promise<TransportProbe> {
  const isRoot = process.getuid?.() === 0;
  const checks = [
    loadProblem(),
    deviceProblem(),
    ...(isRoot ? [capabilityProblem()] : [fusermountProblem()]),
    ...(allowOther && !isRoot ? [allowOtherProblem()] : []),
  ];
  return probeOf(checks);
}

async function loadProblem(): Problem {
  try {
    await Promise.resolve(loadFuseNative());
    return undefined;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}.`;
  }
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
