import { BLOBS_DIRECTORY } from '../../oci/layout.js';
import { repositoryIn } from '../directory-listing.js';
import type { Directory } from '../directory.js';
import { isRegistryComponent } from '../names.js';
import type { FirstPages } from './pages.js';

/** A repository that a search came upon. */
export interface FoundLayout {
  /** Its key prefix. */
  readonly prefix: string;
  /** It has blobs of its own. */
  readonly ownBlobs: boolean;
}

/** `none`: looked everywhere. `unknown`: there was more than the search was allowed to look at. */
export type LayoutSearch = FoundLayout | 'none' | 'unknown';

/**
 * Look for any one repository at `prefixes` and below, depth first, with at most `maxLists` requests.
 * Directories called `blobs` come last: nearly always they hold blobs.
 * @throws StoreError
 */
export async function findLayout(
  pages: FirstPages,
  prefixes: readonly string[],
  maxLists: number,
): Promise<LayoutSearch> {
  const stack = [...prefixes].reverse();
  let exhaustive = true;
  const reserve = Math.max(0, pages.left - maxLists);
  while (stack.length > 0) {
    const prefix = stack.pop() ?? '';
    const page = await pages.read(prefix, { reserve });
    if (page === undefined) return 'unknown';
    const repository = repositoryIn(page, false);
    if (repository !== undefined) return { prefix, ownBlobs: repository.ownBlobs };
    exhaustive &&= page.complete;
    stack.push(...childPrefixes(prefix, page));
  }
  return exhaustive ? 'none' : 'unknown';
}

/** Children that may hold a repository, the most promising last. */
function childPrefixes(prefix: string, page: Directory): string[] {
  const names = page.directories.filter(isRegistryComponent);
  const isBlobs = (name: string): number => (name === BLOBS_DIRECTORY ? 1 : 0);
  return names
    .sort((a, b) => isBlobs(a) - isBlobs(b))
    .reverse()
    .map((name) => `${prefix}${name}/`);
}
