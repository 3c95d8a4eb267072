import type { Copy } from '../inventory/copy-table.js';
import { compareBytes } from '../inventory/inventory.js';
import { BLOB_ROOTS } from './blob-roots.js';

/**
 * The order in which copies are tried: those of the wanted size before all others, then the
 * repository's own, `_blobstore`, `storage`, and the rest by key, so that every reader finds the
 * same one.
 */
export function rankCopies(copies: readonly Copy[], repository: string, size: number): Copy[] {
  const rank = (copy: Copy): number => {
    if (copy.directory === repository) return 0;
    const shared = BLOB_ROOTS.indexOf(copy.directory);
    return shared < 0 ? BLOB_ROOTS.length + 1 : shared + 1;
  };
  const wrong = (copy: Copy): number => (copy.size === size ? 0 : 1);
  return [...copies].sort(
    (a, b) =>
      wrong(a) - wrong(b) ||
      rank(a) - rank(b) ||
      compareBytes(`${a.directory}/`, `${b.directory}/`),
  );
}
