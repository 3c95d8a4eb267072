import { INDEX_FILE } from '../../oci/layout.js';
import { isPlainComponent, isRegistryComponent } from '../names.js';
import { showPrefix } from '../root-prefix.js';
import type { FirstPages } from './pages.js';

/** Directories looked at for the hint. */
const LOOKED_AT = 2;

/**
 * A directory that is a plain OCI layout but no registry's repository, because of its name or for
 * want of `oci-layout`; undefined when none is near the root.
 * @throws StoreError
 */
export async function looksPlain(pages: FirstPages, root: string): Promise<string | undefined> {
  const top = await pages.read(root);
  if (top === undefined) return undefined;
  if (top.objects.has(INDEX_FILE)) return showPrefix(root);
  const plain = top.directories.filter(isPlainComponent);
  const odd = plain.filter((name) => !isRegistryComponent(name));
  for (const name of [...odd, ...plain].slice(0, LOOKED_AT)) {
    const prefix = `${root}${name}/`;
    if ((await pages.read(prefix))?.objects.has(INDEX_FILE)) return showPrefix(prefix);
  }
  return undefined;
}
