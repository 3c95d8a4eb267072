import { BLOBS_DIRECTORY, INDEX_FILE, OCI_LAYOUT_FILE } from '../../oci/layout.js';

/** Inside a repository these names are the layout's, whatever nested repository claims them. */
export function isLayoutName(name: string): boolean {
  return name === BLOBS_DIRECTORY || name === INDEX_FILE || name === OCI_LAYOUT_FILE;
}

/**
 * Repositories that no directory can show, since another repository's `blobs`, `index.json` or
 * `oci-layout` is where they or one of their parents would be.
 */
export function findShadowed(names: readonly string[]): Set<string> {
  const repositories = new Set(names);
  const isShadowed = (name: string): boolean => {
    const components = name.split('/');
    return components.some(
      (component, position) =>
        isLayoutName(component) && repositories.has(components.slice(0, position).join('/')),
    );
  };
  return new Set(names.filter(isShadowed));
}
