/**
 * Which names may be components of a repository's name.
 */

/**
 * A component of a repository name as zot and the distribution spec define it
 * (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests), written
 * so that no name can make the match slow.
 */
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;

/** Longest name of a file on Linux, bytes. */
const MAX_NAME_BYTES = 255;

/** A lone surrogate, or the mark that replaced bytes which are no UTF-8. */
const NOT_UTF8 = /[\p{Cs}\uFFFD]/u;

/** Names that registries keep for themselves; no repository can be called so. */
export function isHiddenName(name: string): boolean {
  return name.startsWith('.') || name.startsWith('_');
}

/** Whether a file system can show `name`, and the store's key was UTF-8. */
export function isFileName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    !name.includes('/') &&
    !name.includes('\0') &&
    !NOT_UTF8.test(name) &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES
  );
}

/** Whether a registry accepts `name` as one component of a repository's name. */
export function isRegistryComponent(name: string): boolean {
  return name.length <= MAX_NAME_BYTES && COMPONENT.test(name);
}

/** Whether `name` may be a directory on the way to a plain layout. */
export function isPlainComponent(name: string): boolean {
  return isFileName(name) && !isHiddenName(name);
}

/** Whether every component of `path` passes; the empty path is the root and passes always. */
export function isPath(path: string, isComponent: (name: string) => boolean): boolean {
  return path === '' || path.split('/').every(isComponent);
}
