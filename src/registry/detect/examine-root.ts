import { isValidAlgorithm } from '../../oci/digest.js';
import { BLOBS_DIRECTORY, INDEX_FILE } from '../../oci/layout.js';
import { repositoryIn } from '../directory-listing.js';
import type { Directory } from '../directory.js';
import { isRegistryComponent } from '../names.js';
import { BLOBSTORE, MARKERS, STORAGE } from '../zot/blob-roots.js';
import type { SeenPlaces } from '../zot/candidate-order.js';
import { findLayout, type LayoutSearch } from './find-layout.js';
import { isEmptyPage, type FirstPages } from './pages.js';

/** What the first pages tell of a registry's root. */
export interface RootFacts {
  readonly empty: boolean;
  readonly seen: SeenPlaces;
  /** Directories below the root that hold shared blobs and nothing else. */
  readonly hidden: ReadonlySet<string>;
  /** Markers of zot at the root. */
  readonly markers: readonly string[];
  /** A repository at or below the root, if the search came upon one. */
  readonly layout: LayoutSearch;
}

/** Pages spent on finding one repository. */
const LISTS_FOR_LAYOUT = 3;

/**
 * Look around at `root`: shared blobs, markers, one repository.
 * @throws StoreError
 */
export async function examineRoot(pages: FirstPages, root: string): Promise<RootFacts> {
  const top = await pages.read(root);
  const internals = (await namesFrom(pages, root, top, '_')) ?? top;
  const storage = await examineStorage(pages, root, top);
  const layout = await findLayout(pages, [root], LISTS_FOR_LAYOUT);
  return {
    empty: top !== undefined && isEmptyPage(top),
    seen: {
      repository: typeof layout === 'object' && layout.ownBlobs,
      blobstore: internals?.directories.includes(BLOBSTORE) ?? false,
      storage: storage.holdsBlobs,
    },
    hidden: storage.hidden,
    markers: MARKERS.filter((name) => internals?.objects.has(name)),
    layout,
  };
}

/** The names that begin with `start`, by a page of their own where the first one ended before them. */
async function namesFrom(
  pages: FirstPages,
  root: string,
  top: Directory | undefined,
  start: string,
): Promise<Directory | undefined> {
  if (top === undefined || top.complete) return top;
  const last = [...top.objects.keys(), ...top.directories].sort().at(-1) ?? '';
  return last > `${start}\uFFFF` ? top : pages.read(root, { startingWith: start });
}

/**
 * Whether `storage` holds shared blobs, and whether that is all it holds. Where it is a repository
 * or contains others it is shown, and only then.
 */
async function examineStorage(
  pages: FirstPages,
  root: string,
  top: Directory | undefined,
): Promise<{ holdsBlobs: boolean; hidden: ReadonlySet<string> }> {
  const nothing = { holdsBlobs: false, hidden: new Set<string>() };
  const names = await namesFrom(pages, root, top, STORAGE);
  if (!names?.directories.includes(STORAGE)) return nothing;
  const page = await pages.read(`${root}${STORAGE}/`);
  if (!page?.directories.includes(BLOBS_DIRECTORY)) return nothing;
  // The shared path is this repository's own: it is shown, and its blobs may serve the others.
  if (repositoryIn(page, false) !== undefined) return { ...nothing, holdsBlobs: true };
  const blobs = await pages.read(`${root}${STORAGE}/${BLOBS_DIRECTORY}/`);
  const onlyBlobs =
    blobs !== undefined &&
    repositoryIn(blobs, false) === undefined &&
    blobs.directories.length > 0 &&
    blobs.directories.every((name) => ALGORITHMS.has(name) || !isValidAlgorithm(name));
  if (!onlyBlobs) return nothing;
  // A repository called as the algorithm stands behind all its digests, so it is asked for by name.
  for (const algorithm of blobs.directories) {
    const prefix = `${root}${STORAGE}/${BLOBS_DIRECTORY}/${algorithm}/`;
    const documents = await pages.read(prefix, { startingWith: INDEX_FILE });
    if (documents?.objects.has(INDEX_FILE) === true) return { ...nothing, holdsBlobs: true };
  }
  const others = page.directories.some(
    (name) => name !== BLOBS_DIRECTORY && isRegistryComponent(name),
  );
  return {
    holdsBlobs: true,
    hidden: new Set([others || !page.complete ? `${STORAGE}/${BLOBS_DIRECTORY}` : STORAGE]),
  };
}

/** Algorithms under which zot stores blobs; another name below `blobs` may be a repository. */
const ALGORITHMS: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512', 'blake3']);
