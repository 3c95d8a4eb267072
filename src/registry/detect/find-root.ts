import { AmbiguousRootError } from '../errors.js';
import type { Directory } from '../directory.js';
import { repositoryIn } from '../directory-listing.js';
import { isHiddenName } from '../names.js';
import { showPrefix } from '../root-prefix.js';
import { BLOBSTORE, MARKERS } from '../zot/blob-roots.js';
import { findLayout, type LayoutSearch } from './find-layout.js';
import { isEmptyPage, type FirstPages } from './pages.js';

/** Where the registry begins. */
export interface RootFinding {
  /** Key prefix. */
  readonly root: string;
  /** Names below the given prefix that the root leaves out, relative to `outside`. */
  readonly strays: readonly string[];
  /** The prefix that the strays lie below. */
  readonly outside: string;
}

/** Pages spent on looking for a repository inside and outside of a doubled prefix. */
const LISTS_INSIDE = 3;
const LISTS_OUTSIDE = 2;
/** Levels followed below an empty prefix before the whole store is taken as the root. */
const MAX_CHAIN = 4;

/**
 * The root at or below `prefix`. zot on S3 puts its `rootdirectory` in front of every key twice
 * (`storage.RootDir` of https://github.com/project-zot/zot/blob/main/pkg/storage/common/common.go),
 * so X and X/X are the only possibilities; below an empty prefix X is found by following
 * directories that have no sibling.
 * @throws AmbiguousRootError when there are repositories at both.
 * @throws StoreError
 */
export async function findRoot(
  pages: FirstPages,
  store: string,
  prefix: string,
): Promise<RootFinding> {
  if (prefix.startsWith('/')) return rootAt(prefix);
  return prefix === '' ? followChain(pages, store) : judgeDouble(pages, store, prefix);
}

function rootAt(root: string): RootFinding {
  return { root, strays: [], outside: root };
}

async function followChain(pages: FirstPages, store: string): Promise<RootFinding> {
  let chain = '';
  for (let depth = 0; depth < MAX_CHAIN; depth += 1) {
    const page = await pages.read(chain);
    if (page === undefined || repositoryIn(page, false) !== undefined) break;
    if (chain !== '' && page.directories.includes(firstComponent(chain))) {
      const finding = await judgeDouble(pages, store, chain);
      if (finding.root !== chain) return finding;
    }
    // Names that begin with an underscore are kept at a registry's root and nowhere else.
    if (hasTraces(page)) return rootAt(chain);
    const [only, another] = page.directories.filter((name) => !name.startsWith('.'));
    if (only === undefined || only === '' || another !== undefined || !page.complete) break;
    chain += `${only}/`;
  }
  return rootAt('');
}

/** Decide between `outer` and the same prefix doubled. */
async function judgeDouble(pages: FirstPages, store: string, outer: string): Promise<RootFinding> {
  const inner = outer + outer;
  const outerPage = await pages.read(outer);
  if (outerPage?.complete && !outerPage.directories.includes(firstComponent(outer))) {
    return rootAt(outer);
  }
  const innerPage = await pages.read(inner);
  if (innerPage === undefined || isEmptyPage(innerPage)) return rootAt(outer);
  if (repositoryIn(innerPage, false) !== undefined) return rootAt(outer);
  const outside = await lookOutside(pages, outer);
  const inside = await findLayout(pages, [inner], LISTS_INSIDE);
  const outsideHolds = outside.holds || isFound(outside.search);
  const insideHolds = isFound(inside) || hasTraces(innerPage);
  if (outsideHolds && insideHolds) {
    throw new AmbiguousRootError(store, [showPrefix(inner), showPrefix(outer)]);
  }
  const chooseInner = insideHolds || (!outsideHolds && outside.strays.length === 0);
  return chooseInner ? { root: inner, strays: outside.strays, outside: outer } : rootAt(outer);
}

/** What lies below `outer` but not below its doubled form. */
async function lookOutside(
  pages: FirstPages,
  outer: string,
): Promise<{ holds: boolean; search: LayoutSearch; strays: string[] }> {
  const strays: string[] = [];
  const unsearched: string[] = [];
  let holds = false;
  let level = '';
  for (const component of outer.split('/').slice(0, -1)) {
    const page = await pages.read(outer + level);
    if (page === undefined) break;
    holds ||= repositoryIn(page, false) !== undefined || (level === '' && hasTraces(page));
    for (const name of page.objects.keys()) {
      if (name !== '') strays.push(level + name);
    }
    for (const name of page.directories) {
      if (name === component) continue;
      strays.push(`${level}${name}/`);
      if (name !== '' && !isHiddenName(name)) unsearched.push(`${outer}${level}${name}/`);
    }
    level += `${component}/`;
  }
  const search = holds ? 'none' : await findLayout(pages, unsearched, LISTS_OUTSIDE);
  return { holds, search, strays };
}

function isFound(search: LayoutSearch): boolean {
  return typeof search === 'object';
}

/** Whether the page shows what zot writes at its root only. */
export function hasTraces(page: Directory): boolean {
  return page.directories.includes(BLOBSTORE) || MARKERS.some((name) => page.objects.has(name));
}

function firstComponent(prefix: string): string {
  return prefix.slice(0, prefix.indexOf('/'));
}
