import { firstAfter, type ByteString, type Directories } from './directories.js';

export interface WalkOptions {
  /** Only keys that begin with this. */
  readonly prefix: ByteString;
  /** Only what comes after this key or prefix. */
  readonly after?: ByteString;
  /** Stop at directories and yield them (ending in a slash) and not what they contain. */
  readonly delimited: boolean;
}

/** Keys, and with `delimited` prefixes, in bytewise order; directories are read when reached. */
export async function* walk(
  directories: Directories,
  { prefix, after, delimited }: WalkOptions,
): AsyncGenerator<ByteString, void, undefined> {
  const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const namePrefix = prefix.slice(directory.length);
  const names = await directories.read(directory, after !== undefined);
  // All names with a prefix stand together, and right after anything smaller than the prefix.
  const first = namePrefix === '' ? 0 : lowerBound(names, namePrefix);
  for (let i = Math.max(first, firstIndex(names, directory, after, delimited)); ; i++) {
    const name = names[i];
    if (name?.startsWith(namePrefix) !== true) return;
    const key = directory + name;
    if (!delimited && name.endsWith('/')) {
      const below = after?.startsWith(key) === true ? { after } : {};
      yield* walk(directories, { prefix: key, delimited, ...below });
    } else {
      yield key;
    }
  }
}

/** Index of the first name that is, or contains something, after `after`. */
function firstIndex(
  names: readonly ByteString[],
  directory: ByteString,
  after: ByteString | undefined,
  delimited: boolean,
): number {
  if (after === undefined || after < directory) return 0;
  if (!after.startsWith(directory)) return names.length;
  const rest = after.slice(directory.length);
  const index = firstAfter(names, rest);
  // The directory that `after` lies in stands directly before: no name is between `a/` and `a/b`.
  const previous = names[index - 1];
  const inside = !delimited && previous?.endsWith('/') === true && rest.startsWith(previous);
  return inside ? index - 1 : index;
}

function lowerBound(names: readonly ByteString[], bytes: ByteString): number {
  const after = firstAfter(names, bytes);
  return names[after - 1] === bytes ? after - 1 : after;
}
