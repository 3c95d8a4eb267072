import type { Descriptor } from '../../oci/descriptor.js';
import type { Digest } from '../../oci/digest.js';
import { BLOBS_DIRECTORY } from '../../oci/layout.js';
import type { ObjectStore } from '../../store/object-store.js';
import { type Directory, readDirectory, type SeenDirectories } from '../directory.js';
import { toListing, type ListingRules } from '../directory-listing.js';
import { blobKey } from '../inventory/blob-key.js';
import { FlatInventory, type FlatInventoryOptions } from '../inventory/flat-inventory.js';
import type { Inventory } from '../inventory/inventory.js';
import { toScan } from '../inventory/scan.js';
import { readIndexDocument, readLayoutDocument } from '../layout-documents.js';
import { isPath, isRegistryComponent } from '../names.js';
import type {
  BlobLocation,
  DirectoryListing,
  Registry,
  RegistryArea,
  RegistryScan,
  ScanOptions,
  SeenListing,
  StoredDocument,
} from '../registry.js';
import { directoryPrefix } from '../root-prefix.js';
import { BLOB_ROOTS, BLOBSTORE, STORAGE } from './blob-roots.js';
import { CandidateOrder, type Place, type SeenPlaces } from './candidate-order.js';
import { rankCopies } from './rank-copies.js';
import { ZOT_RULES } from './rules.js';

export interface ZotRegistryOptions extends Omit<FlatInventoryOptions, 'rules'> {
  readonly store: ObjectStore;
  /** Key prefix of the root: empty, or ending in a slash. */
  readonly root: string;
  readonly description: string;
  readonly warnings: readonly string[];
  readonly listable: boolean;
  /** As of {@link Registry.recognised}. */
  readonly recognised: boolean;
  readonly seen: SeenPlaces;
  /**
   * Directories, relative to the root, that hold blobs for all repositories, are no repository and
   * contain none: never shown.
   */
  readonly hidden: ReadonlySet<string>;
  /** For {@link Registry.takeSeen}. */
  readonly seenDirectories?: SeenDirectories;
}

type Wanted = Pick<Descriptor, 'digest' | 'size'>;

const NO_DIRECTORY: DirectoryListing = { children: [], empty: true, ignored: [] };

/**
 * A zot registry in any state: blobs per repository, with dedupe placeholders, in `storage/blobs`,
 * in `_blobstore/blobs`, or half migrated between them.
 */
export class ZotRegistry implements Registry {
  readonly kind = 'zot';
  readonly description: string;
  readonly warnings: readonly string[];
  readonly listable: boolean;
  readonly recognised: boolean;
  readonly areas: readonly RegistryArea[];
  readonly #options: ZotRegistryOptions;
  readonly #order: CandidateOrder;
  readonly #inventory: FlatInventory;

  constructor(options: ZotRegistryOptions) {
    this.#options = options;
    this.description = options.description;
    this.warnings = options.warnings;
    this.listable = options.listable;
    this.recognised = options.recognised;
    const { store, root } = options;
    this.areas = [{ kind: 'zot', store, root, rules: ZOT_RULES, serves: () => true }];
    this.#order = new CandidateOrder(options.seen);
    this.#inventory = new FlatInventory({ ...options, rules: ZOT_RULES });
  }

  isComponent(name: string): boolean {
    return isRegistryComponent(name);
  }

  scope(): string {
    return `${this.#options.store.name}/${this.#options.root}`;
  }

  sharesBlobs(): boolean {
    return true;
  }

  async list(path: string, signal?: AbortSignal): Promise<DirectoryListing> {
    if (!isPath(path, isRegistryComponent)) return NO_DIRECTORY;
    const { store, root } = this.#options;
    return this.#toListing(
      path,
      await readDirectory(store, directoryPrefix(root, path), { signal }),
    );
  }

  takeSeen(path: string): SeenListing | undefined {
    if (!isPath(path, isRegistryComponent)) return undefined;
    const { root, seenDirectories } = this.#options;
    const prefix = directoryPrefix(root, path);
    const seen = seenDirectories?.get(prefix);
    seenDirectories?.delete(prefix);
    return seen && { listing: this.#toListing(path, seen.directory), at: seen.at };
  }

  async readIndex(
    repository: string,
    options: { ifNoneMatch?: string; maxBytes: number; signal?: AbortSignal },
  ): Promise<StoredDocument | 'unchanged' | undefined> {
    if (!isPath(repository, isRegistryComponent)) return undefined;
    return readIndexDocument(this.#options, repository, options);
  }

  async readOciLayout(
    repository: string,
    signal?: AbortSignal,
  ): Promise<StoredDocument | undefined> {
    if (!isPath(repository, isRegistryComponent)) return undefined;
    return readLayoutDocument(this.#options, repository, signal);
  }

  candidates(repository: string, digest: Digest): readonly BlobLocation[] {
    const { store, root } = this.#options;
    const keys = new Set<string>();
    const locations: BlobLocation[] = [];
    for (const place of this.#order.places(repository)) {
      const directory = place === 'repository' ? repository : place;
      const key = root + blobKey(directory, digest);
      // The own path of a repository called `storage` is the shared path too.
      if (keys.has(key)) continue;
      keys.add(key);
      const source = directory === repository ? 'repository' : 'shared';
      locations.push({ store, key, source });
    }
    return locations;
  }

  succeeded(location: BlobLocation): void {
    const place = this.#placeOf(location);
    if (place !== undefined) this.#order.succeeded(place);
  }

  failed(): void {
    this.#inventory.distrust();
  }

  async locate(
    repository: string,
    wanted: Wanted,
    signal?: AbortSignal,
  ): Promise<readonly BlobLocation[]> {
    const { current } = this.#inventory;
    const first = await this.#inventory.load();
    const kept = this.#inventory.current;
    // What an earlier run found is worth a try before the store is listed again.
    if (first && current === undefined && kept !== undefined) {
      const known = this.#rank(kept, repository, wanted);
      if (known.some(({ size }) => size === wanted.size)) return known;
    }
    return this.#rank(await this.#inventory.fresh({ signal }), repository, wanted);
  }

  located(repository: string, wanted: Wanted): readonly BlobLocation[] | undefined {
    const inventory = this.#inventory.current;
    if (inventory === undefined) return undefined;
    const known = this.#rank(inventory, repository, wanted);
    // An old inventory proves no absence: the blob may have been pushed since.
    return known.length === 0 && !this.#inventory.isFresh(inventory) ? undefined : known;
  }

  async scan(options: ScanOptions = {}): Promise<RegistryScan> {
    return toScan(await this.#inventory.fresh({ ...options, survey: true }));
  }

  #toListing(path: string, directory: Directory): DirectoryListing {
    const { hidden } = this.#options;
    const below = path === '' ? '' : `${path}/`;
    const rules: ListingRules = {
      isComponent: isRegistryComponent,
      ociLayoutOptional: false,
      isBlobRoot: (name) => hidden.has(below + name),
    };
    const listing = toListing(path, directory, rules);
    if (listing.repository) this.#order.noteOwnBlobs(path, listing.repository.ownBlobs);
    return listing;
  }

  #rank(inventory: Inventory, repository: string, wanted: Wanted): readonly BlobLocation[] {
    const { store, root } = this.#options;
    const copies = inventory.copies.find(wanted.digest);
    return rankCopies(copies, repository, wanted.size).map(({ directory, size }) => ({
      store,
      key: root + blobKey(directory, wanted.digest),
      source:
        directory === repository
          ? 'repository'
          : BLOB_ROOTS.includes(directory)
            ? 'shared'
            : 'other',
      size,
    }));
  }

  #placeOf({ key, source }: BlobLocation): Place | undefined {
    if (source === 'repository') return 'repository';
    if (source === 'other') return undefined;
    const { root } = this.#options;
    return key.startsWith(`${root}${BLOBSTORE}/${BLOBS_DIRECTORY}/`) ? BLOBSTORE : STORAGE;
  }
}
