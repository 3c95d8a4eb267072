import type { Digest } from '../../oci/digest.js';
import { OCI_LAYOUT_BYTES, OCI_LAYOUT_FILE } from '../../oci/layout.js';
import { readDirectory } from '../directory.js';
import { toListing, type ListingRules } from '../directory-listing.js';
import { blobKey } from '../inventory/blob-key.js';
import { FlatInventory, type FlatInventoryOptions } from '../inventory/flat-inventory.js';
import { toScan } from '../inventory/scan.js';
import type { InventoryRules } from '../inventory/take-inventory.js';
import { readIndexDocument, readLayoutDocument } from '../layout-documents.js';
import { isPath, isPlainComponent } from '../names.js';
import type {
  BlobLocation,
  DirectoryListing,
  Registry,
  RegistryArea,
  RegistryScan,
  ScanOptions,
  StoredDocument,
} from '../registry.js';
import { directoryPrefix } from '../root-prefix.js';

export interface PlainRegistryOptions extends Omit<FlatInventoryOptions, 'rules'> {
  readonly description: string;
  readonly warnings: readonly string[];
  readonly listable: boolean;
  /** As of {@link Registry.recognised}. */
  readonly recognised: boolean;
  /**
   * Key prefix of a directory with all blobs as `<algorithm>/<encoded>`, as skopeo's
   * `--src-shared-blob-dir` reads them: then no layout's own blobs are looked at.
   */
  readonly sharedBlobs?: string | undefined;
}

/**
 * How the keys of plain layouts are read.
 * @param root key prefix of the root
 * @param sharedBlobs as of {@link PlainRegistryOptions.sharedBlobs}
 */
export function plainRules(root: string, sharedBlobs?: string): InventoryRules {
  return {
    isComponent: isPlainComponent,
    ociLayoutOptional: true,
    blobRoots: new Set<string>(),
    sharedBlobs: sharedBlobs?.startsWith(root) ? sharedBlobs.slice(root.length) : undefined,
  };
}

const NO_DIRECTORY: DirectoryListing = { children: [], empty: true, ignored: [] };

/** OCI image layouts as any tool writes them: a layout at any path, the root included. */
export class PlainRegistry implements Registry {
  readonly kind = 'plain';
  readonly description: string;
  readonly warnings: readonly string[];
  readonly listable: boolean;
  readonly recognised: boolean;
  readonly areas: readonly RegistryArea[];
  readonly #options: PlainRegistryOptions;
  readonly #inventory: FlatInventory;

  constructor(options: PlainRegistryOptions) {
    this.#options = options;
    this.description = options.description;
    this.warnings = options.warnings;
    this.listable = options.listable;
    this.recognised = options.recognised;
    const { store, root, sharedBlobs } = options;
    const rules = plainRules(root, sharedBlobs);
    this.#inventory = new FlatInventory({ ...options, rules });
    const isElsewhere = sharedBlobs !== undefined && rules.sharedBlobs === undefined;
    this.areas = [
      {
        kind: 'plain',
        store,
        root,
        rules,
        ...(isElsewhere && { blobsElsewhere: sharedBlobs }),
        serves: () => true,
      },
    ];
  }

  isComponent(name: string): boolean {
    return isPlainComponent(name);
  }

  scope(repository: string): string {
    const { store, root, sharedBlobs } = this.#options;
    return `${store.name}/${sharedBlobs ?? directoryPrefix(root, repository)}`;
  }

  sharesBlobs(): boolean {
    return this.#options.sharedBlobs !== undefined;
  }

  async list(path: string, signal?: AbortSignal): Promise<DirectoryListing> {
    if (!isPath(path, isPlainComponent)) return NO_DIRECTORY;
    const { store, root, sharedBlobs } = this.#options;
    const prefix = directoryPrefix(root, path);
    const rules: ListingRules = {
      isComponent: isPlainComponent,
      ociLayoutOptional: true,
      isBlobRoot: (name) => `${prefix}${name}/` === sharedBlobs,
    };
    const directory = await readDirectory(store, prefix, { signal });
    return toListing(path, directory, rules);
  }

  /** Too little is looked at when layouts are opened. */
  takeSeen(): undefined {
    return undefined;
  }

  async readIndex(
    repository: string,
    options: { ifNoneMatch?: string; maxBytes: number; signal?: AbortSignal },
  ): Promise<StoredDocument | 'unchanged' | undefined> {
    if (!isPath(repository, isPlainComponent)) return undefined;
    return readIndexDocument(this.#options, repository, options);
  }

  async readOciLayout(
    repository: string,
    signal?: AbortSignal,
  ): Promise<StoredDocument | undefined> {
    if (!isPath(repository, isPlainComponent)) return undefined;
    const document = await readLayoutDocument(this.#options, repository, signal);
    if (document) return document;
    const key = directoryPrefix(this.#options.root, repository) + OCI_LAYOUT_FILE;
    return { bytes: OCI_LAYOUT_BYTES, info: { key, size: OCI_LAYOUT_BYTES.length } };
  }

  candidates(repository: string, digest: Digest): readonly BlobLocation[] {
    const { store, root, sharedBlobs } = this.#options;
    if (sharedBlobs === undefined) {
      return [{ store, key: root + blobKey(repository, digest), source: 'repository' }];
    }
    return [{ store, key: sharedBlobs + digest.replace(':', '/'), source: 'shared' }];
  }

  /** There is one candidate only, so there is nothing to learn. */
  succeeded(): void {
    return;
  }

  /** No listing is ever believed. */
  failed(): void {
    return;
  }

  /** Plain layouts have no placeholders: what is not at its own key is nowhere. */
  locate(): Promise<readonly BlobLocation[]> {
    return Promise.resolve([]);
  }

  /** Undefined, so that the one candidate is tried. */
  located(): undefined {
    return undefined;
  }

  async scan(options: ScanOptions = {}): Promise<RegistryScan> {
    const scan = toScan(await this.#inventory.fresh({ ...options, survey: true }));
    // A zero-byte blob is damage here and no placeholder: nothing else could have its bytes.
    return {
      ...scan,
      repositories: scan.repositories.map(({ name }) => ({ name, placeholders: 0 })),
    };
  }
}
