/**
 * Roots and directories as key prefixes: empty for the whole store, else ending in one slash.
 */

/**
 * The key prefix of a root as a user writes it: trailing slashes do not matter. A slash at the
 * beginning is kept, since some stores hold keys that begin with one; `/` alone is the whole store.
 */
export function toPrefix(root: string): string {
  const end = root.length - (/\/+$/.exec(root)?.[0].length ?? 0);
  if (end === 0) return root.length > 1 ? '/' : '';
  return `${root.slice(0, end)}/`;
}

/** The key prefix of directory `path` below `root` (a prefix already). */
export function directoryPrefix(root: string, path: string): string {
  return path === '' ? root : `${root}${path}/`;
}

/** A prefix as shown to people, in the form that {@link toPrefix} takes back; never empty. */
export function showPrefix(prefix: string): string {
  if (prefix === '') return '/';
  return prefix === '/' ? '//' : prefix.slice(0, -1);
}
