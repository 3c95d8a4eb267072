import {
  type Attributes,
  type Entry,
  type FileSystem,
  ROOT_INODE,
} from '../../tree/file-system.js';

/**
 * Look a path up, component by component. The caller owes one `forget` of the answered inode; what
 * was taken on the way is given back.
 * @param path absolute within the mount, as libfuse gives it: `/a/b`, no trailing slash; not `/`
 * @throws ErrnoError
 */
export async function lookupPath(fileSystem: FileSystem, path: string): Promise<Entry> {
  const names = path.split('/').slice(1);
  let entry: Entry | undefined;
  for (const name of names) {
    const parent = entry?.attributes.ino ?? ROOT_INODE;
    try {
      entry = await fileSystem.lookup(parent, name);
    } finally {
      if (parent !== ROOT_INODE) fileSystem.forget(parent, 1);
    }
  }
  if (entry === undefined) throw new RangeError(`"${path}" names no entry below the root.`);
  return entry;
}

/**
 * Run `use` with the attributes of what `path` names (`/` for the root), holding a reference of
 * its inode meanwhile.
 * @throws ErrnoError, and what `use` throws
 */
export async function withPath<T>(
  fileSystem: FileSystem,
  path: string,
  use: (attributes: Attributes) => T | Promise<T>,
): Promise<T> {
  if (path === '/') return use(await fileSystem.getattr(ROOT_INODE));
  const { attributes } = await lookupPath(fileSystem, path);
  try {
    return await use(attributes);
  } finally {
    fileSystem.forget(attributes.ino, 1);
  }
}
