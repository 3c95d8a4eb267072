import { repositoryIn } from '../directory-listing.js';
import { isRegistryComponent } from '../names.js';
import type { RootFacts } from './examine-root.js';
import { hasTraces } from './find-root.js';
import type { FirstPages } from './pages.js';

/**
 * The root of a registry that was copied, doubled prefix and all, to somewhere below `root`: the end
 * of a chain of directories without siblings whose last components are doubled, as in
 * `copies/zot/zot/`. Undefined where the pages listed so far show none; no request is made.
 */
export function deeperRoot(pages: FirstPages, root: string, facts: RootFacts): string | undefined {
  if (isDoubled(root.split('/').slice(0, -1))) return undefined;
  const chain: string[] = [];
  for (let prefix = root; ; prefix = `${root}${chain.join('/')}/`) {
    const page = pages.known(prefix);
    if (page === undefined || repositoryIn(page, false) !== undefined) return undefined;
    // Where the search for a repository ended early, there may be one; nowhere else, though.
    if (isDoubled(chain) && (facts.layout !== 'none' || hasTraces(page))) return prefix;
    const [only, another] = page.directories.filter(isRegistryComponent);
    // Whatever has siblings or traces of a registry is no mere way to somewhere else.
    if (only === undefined || another !== undefined || !page.complete || hasTraces(page)) {
      return undefined;
    }
    chain.push(only);
  }
}

/**
 * A doubled prefix right below `root` that has siblings, so that nothing says whether it is the root
 * of a registry. Undefined where the pages listed so far show none; no request is made.
 */
export function doubledBeside(pages: FirstPages, root: string): string | undefined {
  const page = pages.known(root);
  if (page === undefined || hasTraces(page) || isDoubled(root.split('/').slice(0, -1))) {
    return undefined;
  }
  const isRepository = (prefix: string): boolean => {
    const known = pages.known(prefix);
    return known !== undefined && repositoryIn(known, false) !== undefined;
  };
  const names = page.directories.filter(isRegistryComponent);
  if (names.length < 2) return undefined;
  const name = names.find((directory) => {
    const prefix = `${root}${directory}/`;
    if (pages.known(prefix)?.directories.includes(directory) !== true) return false;
    return !isRepository(prefix) && !isRepository(`${prefix}${directory}/`);
  });
  return name && `${root}${name}/${name}/`;
}

/** Whether the chain ends with the same components twice. */
function isDoubled(chain: readonly string[]): boolean {
  for (let length = 1; 2 * length <= chain.length; length += 1) {
    const last = chain.slice(-length);
    const before = chain.slice(-2 * length, -length);
    if (last.every((name, position) => name === before[position])) return true;
  }
  return false;
}
