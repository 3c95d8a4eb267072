import { isValidAlgorithm, parseDigest, type Digest } from '../../oci/digest.js';
import { BLOBS_DIRECTORY, INDEX_FILE, OCI_LAYOUT_FILE } from '../../oci/layout.js';
import { parseBlobKey } from '../../registry/inventory/blob-key.js';
import type { InventoryRules } from '../../registry/inventory/take-inventory.js';
import { isFileName, isHiddenName, isPath, isPlainComponent } from '../../registry/names.js';
import { MARKERS, OLD_MARKERS } from '../../registry/zot/blob-roots.js';

/** The directory below the root in which layoutfs keeps its journals; no repository can have it. */
export const JOURNAL_DIRECTORY = '_layoutfs';

/** What one key of a registry's bucket is, by its name alone. */
export type KeyKind =
  /**
   * An object named by a digest, in the `blobs` of `directory` (or, where `directory` ends in a
   * slash, directly in that shared blob directory of plain layouts).
   */
  | { readonly kind: 'blob'; readonly directory: string; readonly digest: Digest }
  /** The `index.json` of `directory`. */
  | { readonly kind: 'index'; readonly directory: string }
  /** The `oci-layout` of `directory`. */
  | { readonly kind: 'layout'; readonly directory: string }
  /** Below `.uploads/` or `.sync/`: an upload or a sync in flight, or left by a crash. */
  | { readonly kind: 'upload' }
  /** Written by zot when a migration of its own was through. */
  | { readonly kind: 'marker' }
  /** Ours, below {@link JOURNAL_DIRECTORY}. */
  | { readonly kind: 'journal' }
  /** In a `blobs` directory, but not named by a digest. */
  | { readonly kind: 'malformed' }
  /** Something that a registry keeps for itself: names that begin with `_` or `.`, databases. */
  | { readonly kind: 'internal' }
  /** Ends in a slash: consoles and other tools write such for directories. */
  | { readonly kind: 'slash' }
  /** Nothing that a registry writes. */
  | { readonly kind: 'unknown' };

/** Tells what keys are; one for each pass over a listing. */
export class KeyReader {
  readonly #rules: InventoryRules;
  /** Keys come sorted, so nearly every key has the directory of the one before it. */
  #lastDirectory: string | undefined;
  #lastMayHold = false;

  constructor(rules: InventoryRules) {
    this.#rules = rules;
  }

  /** What `key`, relative to the registry's root, is. */
  kindOf(key: string): KeyKind {
    if (key.startsWith(`${JOURNAL_DIRECTORY}/`)) return { kind: 'journal' };
    if (key.endsWith('/')) return { kind: 'slash' };
    const shared = this.#inSharedBlobs(key);
    if (shared !== undefined) return shared;
    // Before blobs: `x/blobs/y/oci-layout` would do as a blob of the unknown algorithm `y`.
    const document = this.#document(key);
    if (document !== undefined) return document;
    const blob = parseBlobKey(key);
    if (blob !== undefined && this.#mayHoldBlobs(blob.directory)) return { kind: 'blob', ...blob };
    if (/(?:^|\/)\.(?:uploads|sync)\//.test(key)) return { kind: 'upload' };
    if (MARKERS.includes(key) || OLD_MARKERS.includes(key)) return { kind: 'marker' };
    if (isHiddenPath(key) || /^[^/]+\.db$/.test(key)) return { kind: 'internal' };
    return { kind: isInBlobs(key) ? 'malformed' : 'unknown' };
  }

  #inSharedBlobs(key: string): KeyKind | undefined {
    const { sharedBlobs } = this.#rules;
    if (sharedBlobs === undefined || !key.startsWith(sharedBlobs)) return undefined;
    const digest = parseDigest(key.slice(sharedBlobs.length).replace('/', ':'));
    return digest === undefined
      ? { kind: 'malformed' }
      : { kind: 'blob', directory: sharedBlobs, digest };
  }

  #document(key: string): KeyKind | undefined {
    const slash = key.lastIndexOf('/');
    const name = key.slice(slash + 1);
    if (name !== INDEX_FILE && name !== OCI_LAYOUT_FILE) return undefined;
    const directory = slash < 0 ? '' : key.slice(0, slash);
    if (!isPath(directory, this.#rules.isComponent)) return undefined;
    return { kind: name === INDEX_FILE ? 'index' : 'layout', directory };
  }

  /** Also directories that are no repositories: their copies serve the placeholders of others. */
  #mayHoldBlobs(directory: string): boolean {
    if (directory !== this.#lastDirectory) {
      this.#lastDirectory = directory;
      this.#lastMayHold =
        this.#rules.blobRoots.has(directory) || isPath(directory, isPlainComponent);
    }
    return this.#lastMayHold;
  }
}

/** Whether some component of `key` is one that registries keep for themselves. */
function isHiddenPath(key: string): boolean {
  const components = key.split('/');
  return components.every(isFileName) && components.some(isHiddenName);
}

/** Whether `key` lies directly in `blobs` or in one of its algorithms. */
function isInBlobs(key: string): boolean {
  const [parent, grandparent] = key.split('/').slice(0, -1).reverse();
  if (parent === BLOBS_DIRECTORY) return true;
  return grandparent === BLOBS_DIRECTORY && parent !== undefined && isValidAlgorithm(parent);
}
