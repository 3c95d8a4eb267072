import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Make a directory and those above it that are missing. Node's own `recursive` never ends where
 * mkdir(2) answers ENOENT although the parent is there, as below /proc.
 * @throws NodeJS.ErrnoException
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path), mode);
    await mkdir(path, mode).catch((again: unknown) => {
      // Another mount may have made it meanwhile.
      if ((again as NodeJS.ErrnoException).code !== 'EEXIST') throw again;
    });
  }
}
