import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Everything below a directory as sorted lines of path, kind, mode, owner and content: equal texts
 * mean equal trees. With `times` also the modification times, but for those of directories, which
 * unpacking sets only where an archive names them. Not for a mount: it reads in this process.
 */
export async function describeTree(
  directory: string,
  { times = false }: { readonly times?: boolean } = {},
): Promise<string> {
  const lines: string[] = [];
  for (const path of (await readdir(directory, { recursive: true })).sort()) {
    lines.push(`${path} ${await describe(join(directory, path), times)}`);
  }
  return lines.join('\n');
}

async function describe(path: string, times: boolean): Promise<string> {
  const stat = await lstat(path);
  const owner = `${stat.uid}:${stat.gid}`;
  const mode = stat.mode.toString(8);
  if (stat.isDirectory()) return `${mode} ${owner}`;
  const common = `${mode} ${owner} nlink=${stat.nlink}${times ? ` mtime=${stat.mtimeMs}` : ''}`;
  if (stat.isSymbolicLink()) return `${common} -> ${await readlink(path)}`;
  if (!stat.isFile()) return `${common} device=${stat.rdev}`;
  const hash = createHash('sha256').update(await readFile(path));
  return `${common} ${stat.size} ${hash.digest('hex')}`;
}
