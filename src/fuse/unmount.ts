import { runCommand } from './run-command.js';
import { MountError } from './transport.js';

export interface UnmountOptions {
  /** Detach at once, busy or not. Default: only when busy. */
  readonly lazy?: boolean;
  /**
   * Detach, and fail what readers wait for: for a daemon that answers nothing any more, whose readers
   * would else wait for ever, in a way that no signal ends. Only root can; for others it is `lazy`.
   */
  readonly force?: boolean;
  /** Fail when busy, instead of detaching. */
  readonly failWhenBusy?: boolean;
  /** For each attempt; default 10 s. */
  readonly deadlineMs?: number;
}

/**
 * Unmount what is mounted at `mountpoint` (an absolute path), by `umount` for root and by
 * `fusermount3` or `fusermount` for others, who may not unmount otherwise.
 *
 * @returns `unmounted`, or `detached`: gone from the tree of directories, while those who have files
 *   open on it keep them
 * @throws MountError
 */
export async function unmount(
  mountpoint: string,
  { lazy = false, force = false, failWhenBusy = false, deadlineMs = 10_000 }: UnmountOptions = {},
): Promise<'unmounted' | 'detached'> {
  if (!lazy && !force) {
    const plain = await attempt(mountpoint, 'plain', deadlineMs);
    if (plain.kind === 'done') return 'unmounted';
    if (plain.kind === 'failed') throw new MountError(plain.message);
    if (failWhenBusy) {
      throw new MountError(
        `${mountpoint} is busy: a process has a file open on it or works in it. Find out which with: fuser -vm ${mountpoint}`,
      );
    }
  }
  const detached = await attempt(mountpoint, force ? 'force' : 'lazy', deadlineMs);
  if (detached.kind === 'done') return 'detached';
  if (detached.kind === 'failed') throw new MountError(detached.message);
  throw new MountError(`${mountpoint} could not be unmounted within ${deadlineMs} ms.`);
}

type Attempt =
  { readonly kind: 'done' | 'busy' } | { readonly kind: 'failed'; readonly message: string };

type Way = 'plain' | 'lazy' | 'force';

async function attempt(mountpoint: string, way: Way, deadlineMs: number): Promise<Attempt> {
  const commands = commandsFor(mountpoint, way);
  for (const [program, args] of commands) {
    const result = await runCommand(program, args, deadlineMs);
    if (result.kind === 'notFound') continue;
    // A daemon that answers nothing keeps umount waiting: detaching asks it nothing.
    if (result.kind === 'timedOut') return { kind: 'busy' };
    if (result.code === 0) return { kind: 'done' };
    if (/\bbusy\b/i.test(result.output)) return { kind: 'busy' };
    return {
      kind: 'failed',
      message: `${mountpoint} could not be unmounted; ${program} says: ${result.output}`,
    };
  }
  const programs = commands.map(([program]) => program).join(' nor ');
  return {
    kind: 'failed',
    message: `${mountpoint} could not be unmounted: neither ${programs} is installed. Install it with: apt-get install fuse3`,
  };
}

function commandsFor(mountpoint: string, way: Way): [program: string, args: string[]][] {
  const fusermount = ['-u', ...(way === 'plain' ? [] : ['-z']), '--', mountpoint];
  const umount = { plain: [], lazy: ['-l'], force: ['-f', '-l'] }[way];
  const byFusermount: [string, string[]][] = [
    ['fusermount3', fusermount],
    ['fusermount', fusermount],
  ];
  return process.getuid?.() === 0
    ? [['umount', [...umount, '--', mountpoint]], ...byFusermount]
    : byFusermount;
}
