import { parseDigest, type Digest } from '../../oci/digest.js';
import { isEmptyDigest } from '../../oci/empty.js';
import { INDEX_FILE, OCI_LAYOUT_FILE } from '../../oci/layout.js';
import { StoreError } from '../../store/errors.js';
import type { ObjectInfo, ObjectStore } from '../../store/object-store.js';
import { isFileName, isHiddenName, isPath, isPlainComponent } from '../names.js';
import { parseBlobKey } from './blob-key.js';
import { CopyTable } from './copy-table.js';
import { compareBytes, groupLost, type Inventory } from './inventory.js';

/** How the keys of one kind of registry are read. */
export interface InventoryRules {
  readonly isComponent: (name: string) => boolean;
  readonly ociLayoutOptional: boolean;
  /** Directories, relative to the root, that may hold blobs without being a repository. */
  readonly blobRoots: ReadonlySet<string>;
  /** A directory with blobs as `<algorithm>/<encoded>`, relative to the root, ending in a slash. */
  readonly sharedBlobs?: string | undefined;
}

export interface TakeInventoryOptions {
  readonly store: ObjectStore;
  /** Key prefix of the registry's root. */
  readonly root: string;
  readonly rules: InventoryRules;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (keys: number) => void;
}

/**
 * List every key below the root once and sort what it tells: content copies, placeholders,
 * repositories.
 * @throws StoreError
 */
export async function takeInventory(options: TakeInventoryOptions): Promise<Inventory> {
  const { store, root, rules, signal, onProgress } = options;
  const started = Date.now();
  const taker = new InventoryTaker(rules);
  let keys = 0;
  let token: string | undefined;
  do {
    if (signal?.aborted === true) {
      throw new StoreError('Aborted', 'The registry was closed while its store was listed.', {
        cause: signal.reason,
      });
    }
    const page = await store.list({
      prefix: root,
      ...(token === undefined ? {} : { token }),
      ...(signal === undefined ? {} : { signal }),
    });
    for (const object of page.objects) taker.add(object.key.slice(root.length), object);
    keys += page.objects.length;
    token = page.next;
    onProgress(keys);
  } while (token !== undefined);
  return taker.finish(keys, started);
}

class InventoryTaker {
  readonly #rules: InventoryRules;
  readonly #copies = new CopyTable();
  /** Placeholders met before any copy of their digest; most find one later. */
  readonly #unresolved = new CopyTable();
  readonly #placeholders = new Map<string, number>();
  readonly #documents = new Map<string, { index: boolean; ociLayout: boolean }>();
  readonly #withBlobs = new Set<string>();
  #ignored = 0;
  #lastDirectory: string | undefined;
  #lastMayHold = false;

  constructor(rules: InventoryRules) {
    this.#rules = rules;
  }

  add(key: string, { size }: ObjectInfo): void {
    // Before blobs: `x/blobs/y/oci-layout` would do as one of the unknown algorithm `y`.
    if (this.#addDocument(key)) return;
    const blob = parseBlobKey(key);
    if (blob !== undefined) {
      const { directory, digest } = blob;
      // Half-written layouts of a sync in progress and other internals are nobody's copies.
      if (!this.#mayHoldBlobs(directory)) this.#ignored += isHiddenPath(key) ? 0 : 1;
      else if (size > 0) this.#copies.add(digest, directory, size);
      else if (!isEmptyDigest(digest)) this.#addPlaceholder(directory, digest);
      return;
    }
    if (!this.#isInternal(key)) this.#ignored += 1;
  }

  finish(keys: number, started: number): Inventory {
    const isRepository = (name: string): boolean => {
      const { index = false, ociLayout = false } = this.#documents.get(name) ?? {};
      return index && (ociLayout || this.#rules.ociLayoutOptional);
    };
    const repositories = [...this.#documents.keys()].filter(isRepository);
    const incomplete = [...this.#withBlobs].filter(
      (name) => !isRepository(name) && !this.#rules.blobRoots.has(name),
    );
    const lost = groupLost(
      [...this.#unresolved.entries()].filter(({ digest }) => !this.#copies.has(digest)),
    );
    const finishedAt = Date.now();
    return {
      copies: this.#copies,
      finishedAt,
      durationMs: finishedAt - started,
      survey: {
        repositories: repositories.sort(compareBytes),
        incomplete: incomplete.sort(compareBytes),
        placeholders: this.#placeholders,
        lost,
        keys,
        ignored: this.#ignored,
      },
    };
  }

  /** Also directories that are no repositories: their copies serve the placeholders of others. */
  #mayHoldBlobs(directory: string): boolean {
    // Keys come sorted, so nearly every key has the directory of the one before it.
    if (directory !== this.#lastDirectory) {
      this.#lastDirectory = directory;
      this.#lastMayHold =
        this.#rules.blobRoots.has(directory) || isPath(directory, isPlainComponent);
      if (this.#lastMayHold) this.#withBlobs.add(directory);
    }
    return this.#lastMayHold;
  }

  #isInternal(key: string): boolean {
    const { sharedBlobs } = this.#rules;
    if (sharedBlobs !== undefined && key.startsWith(sharedBlobs)) {
      return parseDigest(key.slice(sharedBlobs.length).replace('/', ':')) !== undefined;
    }
    return isHiddenPath(key) || /^[^/]+\.db$/.test(key);
  }

  #addPlaceholder(directory: string, digest: Digest): void {
    this.#placeholders.set(directory, (this.#placeholders.get(directory) ?? 0) + 1);
    if (!this.#copies.has(digest)) this.#unresolved.add(digest, directory, 0);
  }

  /** Whether `key` is one of the documents that make a repository. */
  #addDocument(key: string): boolean {
    const slash = key.lastIndexOf('/');
    const name = key.slice(slash + 1);
    if (name !== INDEX_FILE && name !== OCI_LAYOUT_FILE) return false;
    const directory = slash < 0 ? '' : key.slice(0, slash);
    if (!isPath(directory, this.#rules.isComponent)) return false;
    const known = this.#documents.get(directory) ?? { index: false, ociLayout: false };
    if (name === INDEX_FILE) known.index = true;
    else known.ociLayout = true;
    this.#documents.set(directory, known);
    return true;
  }
}

/** Whether some component of `key` is one that registries keep for themselves. */
function isHiddenPath(key: string): boolean {
  const components = key.split('/');
  return components.every(isFileName) && components.some(isHiddenName);
}
