import { mkdtemp, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `f_type` of statfs(2), of <linux/magic.h>: the kernel takes no backing file from these. */
const STACKED: ReadonlySet<number> = new Set([0x794c7630, 0xf15f]);

/** Where to look for one that is not stacked; in a container the first often is. */
const PLACES = [tmpdir(), '/dev/shm'];

/** Why a test that needs {@link makePlainDirectory} is skipped where there is none. */
export const NO_PLAIN_DIRECTORY = `${PLACES.join(' and ')} are on stacked file systems such as overlayfs, or cannot be written`;

/**
 * Make a new directory whose files the kernel takes for passthrough: on a file system that does not
 * lie on another.
 * @returns undefined where there is none
 */
export async function makePlainDirectory(prefix: string): Promise<string | undefined> {
  for (const place of PLACES) {
    const made = await mkdtemp(join(place, `${prefix}-`)).catch(() => undefined);
    if (made === undefined) continue;
    if (!STACKED.has((await statfs(made)).type)) return made;
    await rmdir(made);
  }
  return undefined;
}
