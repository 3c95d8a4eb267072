import { type BigIntStats, closeSync, fstatSync, openSync } from 'node:fs';

/** A file that the kernel reads by itself, watched for changes that nobody would notice else. */
export interface BackingWatch {
  /** Whether the bytes are still those that were handed over, as far as times tell it. */
  isUnchanged(): boolean;
  close(): void;
}

/**
 * Watch an open file; the descriptor itself may be closed afterwards.
 * @throws system errors
 */
export function watchBacking(fd: number): BackingWatch {
  // The same file, also when it has no name any more.
  const own = openSync(`/proc/self/fd/${fd}`, 'r');
  try {
    const before = fstatSync(own, { bigint: true });
    return {
      isUnchanged: () => isSameContent(before, fstatSync(own, { bigint: true })),
      close: () => closeSync(own),
    };
  } catch (error) {
    closeSync(own);
    throw error;
  }
}

/** The ctime, which nobody can set, tells of every write; but also that a name was taken away. */
function isSameContent(before: BigIntStats, now: BigIntStats): boolean {
  return (
    now.size === before.size &&
    now.mtimeNs === before.mtimeNs &&
    (now.ctimeNs === before.ctimeNs || now.nlink !== before.nlink)
  );
}
