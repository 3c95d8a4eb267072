import { closeSync } from 'node:fs';

import { SUBTYPE } from '../mountpoint.js';
import { runCommand } from '../run-command.js';
import { MountError, type TransportOptions } from '../transport.js';
import { commonOptions, sourceName } from './mount-device.js';
import { receiveDescriptor, socketPair } from './system-calls.js';

/** Programs that mount for ordinary users, best first; both speak the same language. */
export const FUSERMOUNT = ['fusermount3', 'fusermount'] as const;

/** For fusermount3, which asks nobody but the kernel. */
const DEADLINE_MS = 10_000;

/**
 * Mount as an ordinary user. The program opens /dev/fuse, mounts it and sends it back through a
 * socket whose number it finds in `_FUSE_COMMFD`, as libfuse does it (lib/mount.c).
 * @returns the device, mounted; whoever has it must close it
 * @throws MountError with the words of the program
 */
export async function mountByFusermount(
  options: Pick<TransportOptions, 'mountpoint' | 'source' | 'allowOther'>,
): Promise<number> {
  const { mountpoint } = options;
  const list = [...commonOptions(options), `subtype=${SUBTYPE}`, `fsname=${escapeName(options)}`];
  const [ours, theirs] = socketPair();
  try {
    const result = await run(['-o', list.join(','), '--', mountpoint], theirs);
    if (result.kind === 'exited' && result.code === 0) {
      const device = receiveDescriptor(ours);
      if (device !== undefined) return device;
    }
    throw new MountError(`${mountpoint} could not be mounted: ${explain(result)}`);
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

type Result = Awaited<ReturnType<typeof runCommand>>;

async function run(args: readonly string[], socket: number): Promise<Result> {
  for (const program of FUSERMOUNT) {
    const result = await runCommand(program, args, DEADLINE_MS, {
      descriptors: [socket],
      env: { _FUSE_COMMFD: '3' },
    });
    if (result.kind !== 'notFound') return result;
  }
  return { kind: 'notFound' };
}

function explain(result: Result): string {
  switch (result.kind) {
    case 'notFound':
      return `the program ${FUSERMOUNT[0]} is not installed; install it with: apt-get install fuse3`;
    case 'timedOut':
      return `${FUSERMOUNT[0]} did not end in time.`;
    case 'exited':
      return result.code === 0
        ? `${FUSERMOUNT[0]} mounted, but did not hand over the device.`
        : `${FUSERMOUNT[0]} says: ${result.output}${hint(result.output)}`;
  }
}

/** What to do about the words of fusermount3. */
function hint(output: string): string {
  if (output.includes('user_allow_other')) {
    return '. Add the line "user_allow_other" to /etc/fuse.conf, or mount as root.';
  }
  if (output.includes('mount_max')) {
    return '. Unmount another one first, or raise "mount_max" in /etc/fuse.conf.';
  }
  // "user has no write access to mountpoint", "bad mount point …: Permission denied"
  if (/no write access|permission denied/i.test(output)) {
    return '. You may not write to the mountpoint, or not open /dev/fuse: choose a directory of your own, or mount as root.';
  }
  return '';
}

/** In a list of options a comma ends one, and a backslash quotes. */
function escapeName({ source }: Pick<TransportOptions, 'source'>): string {
  return sourceName(source).replace(/[\\,]/g, '\\$&');
}
