import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stackedFileSystem } from '../../src/fuse/kernel/passthrough-probe.js';

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
    if ((await stackedFileSystem(made)) === undefined) return made;
    await rmdir(made);
  }
  return undefined;
}
