import { isEmptyDigest } from '../../oci/empty.js';
import type { Digest } from '../../oci/digest.js';
import { BLOB_ROOTS } from '../../registry/zot/blob-roots.js';
import type { BlobCopy } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';

/** Where readers of a registry look for a repository's blob, told from a survey. */
export class BlobPlaces {
  readonly #shared: ReadonlySet<string>;
  readonly #sharedOnly: boolean;
  /** Shared directories that hold bytes, the one that registries prefer first. */
  readonly #inUse: readonly string[];
  readonly #resolves: boolean;

  constructor(survey: Pick<Survey, 'directories' | 'repositories'>, kind: 'zot' | 'plain') {
    const repositories = new Set(survey.repositories);
    const shared = [...survey.directories.keys()].filter((directory) =>
      kind === 'zot'
        ? BLOB_ROOTS.includes(directory) && !repositories.has(directory)
        : directory.endsWith('/'),
    );
    this.#shared = new Set(shared);
    this.#inUse = shared
      .filter((directory) => (survey.directories.get(directory)?.copies ?? 0) > 0)
      .sort((a, b) => BLOB_ROOTS.indexOf(a) - BLOB_ROOTS.indexOf(b));
    // skopeo reads a shared blob directory, where there is one, and no layout's own blobs.
    this.#sharedOnly = kind === 'plain' && shared.length > 0;
    this.#resolves = kind === 'zot';
  }

  /** Whether `directory` holds blobs for all repositories. */
  isShared(directory: string): boolean {
    return this.#shared.has(directory);
  }

  /** Whether readers of `repository` look into the `blobs` of `directory` without being led there. */
  isDirect(directory: string, repository: string): boolean {
    if (this.#shared.has(directory)) return true;
    return directory === repository && !this.#sharedOnly;
  }

  /** The directory in which a registry of this layout would store a blob of `repository`. */
  home(repository: string): string {
    const [shared] = this.#inUse;
    return shared ?? repository;
  }

  /** How `repository` fares with a digest whose objects are `copies` and whose length is claimed as one of `sizes`. */
  judge(
    { digest, sizes }: { readonly digest: Digest; readonly sizes: readonly number[] },
    copies: readonly BlobCopy[],
    repository: string,
  ): Condition {
    // Zero bytes need no object.
    if (isEmptyDigest(digest) && sizes.includes(0)) return 'present';
    const isRight = ({ size, placeholder }: BlobCopy) => !placeholder && sizes.includes(size);
    const direct = copies.filter(({ directory }) => this.isDirect(directory, repository));
    if (direct.some(isRight)) return 'present';
    if (copies.some(isRight)) {
      const leads = this.#resolves && direct.some(({ placeholder }) => placeholder);
      return leads ? 'resolved' : 'misplaced';
    }
    if (copies.some(({ placeholder }) => !placeholder)) return 'wrongSize';
    return copies.length > 0 ? 'unresolved' : 'missing';
  }
}

/**
 * `present`: bytes of a claimed length are where readers look. `resolved`: a placeholder is there,
 * and the bytes elsewhere. The others: as the lists of the same names in `DamageFound`.
 */
export type Condition =
  'present' | 'resolved' | 'misplaced' | 'wrongSize' | 'unresolved' | 'missing';
