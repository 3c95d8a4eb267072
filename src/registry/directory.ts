import type { ObjectInfo, ObjectStore } from '../store/object-store.js';

/** What a delimited LIST shows of one directory. */
export interface Directory {
  /** Objects directly below, by name; a directory marker (the prefix itself) has the empty name. */
  readonly objects: ReadonlyMap<string, ObjectInfo>;
  /** Names that have keys below them, bytewise order. */
  readonly directories: readonly string[];
  /** No page is missing. */
  readonly complete: boolean;
}

/** A directory as it was a moment ago. */
export interface SeenDirectory {
  readonly directory: Directory;
  /** Before the store was asked for it; ms, monotonic. */
  readonly at: number;
}

/** Directories seen while a registry was opened, by key prefix. */
export type SeenDirectories = Map<string, SeenDirectory>;

export interface ReadDirectoryOptions {
  /** Only names that begin with this. */
  readonly startingWith?: string;
  /** Stop after one page of at most this many names, however many follow. */
  readonly firstNames?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The directory at key prefix `prefix` (empty or ending in a slash).
 * @throws StoreError
 */
export async function readDirectory(
  store: ObjectStore,
  prefix: string,
  { startingWith = '', firstNames, signal }: ReadDirectoryOptions = {},
): Promise<Directory> {
  const objects = new Map<string, ObjectInfo>();
  const directories: string[] = [];
  let token: string | undefined;
  do {
    const page = await store.list({
      prefix: prefix + startingWith,
      delimiter: '/',
      ...(token === undefined ? {} : { token }),
      ...(firstNames === undefined ? {} : { limit: firstNames }),
      ...(signal === undefined ? {} : { signal }),
    });
    for (const object of page.objects) objects.set(object.key.slice(prefix.length), object);
    for (const below of page.prefixes) directories.push(below.slice(prefix.length, -1));
    token = page.next;
  } while (token !== undefined && firstNames === undefined);
  return { objects, directories, complete: token === undefined };
}
