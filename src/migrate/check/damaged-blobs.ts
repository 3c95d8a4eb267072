import type { Digest } from '../../oci/digest.js';
import { compareBytes } from '../../registry/inventory/inventory.js';
import type { Survey } from '../survey/survey.js';
import type { Condition } from './blob-places.js';
import type { AffectedRepository, DamagedBlob } from './report.js';

/** The conditions in which a repository cannot have a blob. */
export type Damage = Exclude<Condition, 'present' | 'resolved'>;

/** Collects what repositories lack, by digest. */
export class DamagedBlobs {
  readonly #survey: Survey;
  readonly #found: Readonly<Record<Damage, Map<Digest, Lack>>> = {
    missing: new Map(),
    unresolved: new Map(),
    misplaced: new Map(),
    wrongSize: new Map(),
  };

  constructor(survey: Survey) {
    this.#survey = survey;
  }

  add(
    damage: Damage,
    { digest, sizes }: { readonly digest: Digest; readonly sizes: readonly number[] },
    affected: AffectedRepository,
  ): void {
    const lacks = this.#found[damage];
    const lack = lacks.get(digest) ?? { sizes: new Set<number>(), repositories: [] };
    lacks.set(digest, lack);
    for (const size of sizes) lack.sizes.add(size);
    lack.repositories.push(affected);
  }

  /** What was added as `damage`, sorted. */
  list(damage: Damage): DamagedBlob[] {
    const { root, blobs } = this.#survey;
    return [...this.#found[damage]]
      .map(([digest, { sizes, repositories }]) => ({
        digest,
        sizes: [...sizes].sort((a, b) => a - b),
        repositories: repositories.sort((a, b) => compareBytes(a.repository, b.repository)),
        objects: blobs.copies(digest).map(({ key, size }) => ({ key: root + key, size })),
      }))
      .sort((a, b) => compareBytes(a.digest, b.digest));
  }
}

interface Lack {
  readonly sizes: Set<number>;
  readonly repositories: AffectedRepository[];
}
