import { randomUUID } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { copyFile, link, open, rename, unlink, lstat, type FileHandle } from 'node:fs/promises';
import { openFileIn, pathIn, withDirectory } from './beneath.js';
import { UNFINISHED } from './directories.js';
import { errnoOf } from './failures.js';

const { COPYFILE_EXCL, COPYFILE_FICLONE, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Write a whole file so that readers see the old one or the new one, also after a crash.
 * @throws NodeJS.ErrnoException `EEXIST` when there is a file and `mayReplace` is false
 */
export function writeFileBeneath(
  root: string,
  components: readonly string[],
  body: Uint8Array,
  { mayReplace = true }: { mayReplace?: boolean } = {},
): Promise<BigIntStats> {
  const place = { root, components, mayReplace };
  return fillAndPlace(place, async (path) => {
    const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      await file.writeFile(body);
    } finally {
      await file.close();
    }
  });
}

/** Copy an opened file (sharing its blocks where the file system can) as {@link writeFileBeneath}. */
export function copyFileBeneath(
  root: string,
  source: FileHandle,
  components: readonly string[],
): Promise<BigIntStats> {
  return fillAndPlace({ root, components, mayReplace: true }, (path) =>
    copyFile(pathIn(source), path, COPYFILE_EXCL | COPYFILE_FICLONE),
  );
}

/** Remove a regular file; anything else of that name is no object and stays. */
export async function removeBeneath(root: string, components: readonly string[]): Promise<void> {
  const name = components.at(-1) ?? '';
  await withDirectory(root, components.slice(0, -1), async (directory) => {
    const path = pathIn(directory, name);
    if (!(await lstat(path)).isFile()) return;
    await unlink(path);
    await directory.sync();
  });
}

interface Place {
  readonly root: string;
  readonly components: readonly string[];
  readonly mayReplace: boolean;
}

async function fillAndPlace(
  { root, components, mayReplace }: Place,
  fill: (path: string) => Promise<void>,
): Promise<BigIntStats> {
  const name = components.at(-1) ?? '';
  const use = async (directory: FileHandle) => {
    const temporary = `${UNFINISHED}${randomUUID()}`;
    const path = pathIn(directory, temporary);
    try {
      await fill(path);
      const file = await openFileIn(directory, temporary);
      try {
        await file.sync();
        if (mayReplace) await rename(path, pathIn(directory, name));
        else {
          await link(path, pathIn(directory, name));
          await unlink(path);
        }
        await directory.sync();
        return await file.stat({ bigint: true });
      } finally {
        await file.close();
      }
    } catch (error) {
      await unlink(path).catch((absent: unknown) => {
        if (errnoOf(absent) !== 'ENOENT') throw error;
      });
      throw error;
    }
  };
  return withDirectory(root, components.slice(0, -1), use, { create: true });
}
