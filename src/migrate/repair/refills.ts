import type { Digest } from '../../oci/digest.js';
import { compareBytes } from '../../registry/inventory/inventory.js';
import { rankCopies } from '../../registry/zot/rank-copies.js';
import { riskOf } from '../check/at-risk.js';
import type { BlobPlaces } from '../check/blob-places.js';
import type { JudgedBlob } from '../check/repository-check.js';
import { type BlobCopy, copyKey } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';

/** Bytes of one digest to be copied to where they are wanted. */
export interface Refill {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Keys, relative to the root, of objects with that many bytes, the best first. */
  readonly sources: readonly string[];
  readonly targets: readonly RefillTarget[];
}

export interface RefillTarget {
  /** Relative to the root. */
  readonly key: string;
  /** An empty object is there now; else nothing is. */
  readonly placeholder: boolean;
}

/** What is to be refilled, gathered repository by repository. */
export class Refills {
  readonly #survey: Survey;
  readonly #places: BlobPlaces;
  readonly #protect: boolean;
  readonly #wanted = new Map<number, { sizes: Set<number>; directories: Set<string> }>();

  /** @param protect only digests at risk, and each at its smallest key only */
  constructor(survey: Survey, places: BlobPlaces, protect: boolean) {
    this.#survey = survey;
    this.#places = places;
    this.#protect = protect;
  }

  add(judged: JudgedBlob): void {
    const { number, sizes } = judged;
    const directories = this.#protect ? this.#atRisk(judged) : this.#lacking(judged);
    if (directories.length === 0) return;
    const wanted = this.#wanted.get(number) ?? { sizes: new Set(), directories: new Set() };
    this.#wanted.set(number, wanted);
    for (const size of sizes) wanted.sizes.add(size);
    for (const directory of directories) wanted.directories.add(directory);
  }

  /** Everything gathered, sorted by digest; targets by key. */
  list(): Refill[] {
    return [...this.#wanted]
      .flatMap(([number, { sizes, directories }]) => this.#refill(number, sizes, directories))
      .sort((a, b) => compareBytes(a.digest, b.digest));
  }

  /** Where the repository's readers look and find no bytes, though some are stored. */
  #lacking({ repository, condition, foreign, copies }: JudgedBlob): string[] {
    if (condition === 'misplaced') return foreign ? [] : [this.#places.home(repository)];
    if (condition !== 'resolved') return [];
    const empty = copies
      .filter(({ directory, placeholder }) => {
        return placeholder && this.#places.isDirect(directory, repository);
      })
      .map(({ directory }) => directory);
    // One that all repositories share serves them all.
    const shared = empty.filter((directory) => this.#places.isShared(directory));
    return shared.length > 0 ? shared : empty;
  }

  #atRisk({ copies }: JudgedBlob): string[] {
    const risk = riskOf(copies, this.#places);
    return risk === undefined ? [] : [risk.placeholder.directory];
  }

  #refill(
    number: number,
    sizes: ReadonlySet<number>,
    directories: ReadonlySet<string>,
  ): Refill | [] {
    const { blobs } = this.#survey;
    const digest = blobs.digests.digest(number);
    const copies = blobs.copies(number);
    const right = copies.filter(({ placeholder, size }) => !placeholder && sizes.has(size));
    const [first] = right;
    if (first === undefined) return [];
    const { size } = first;
    const ranked = rankCopies(
      right.filter((copy) => copy.size === size),
      '',
      size,
    );
    const stored = new Map<string, BlobCopy>(copies.map((copy) => [copy.directory, copy]));
    return {
      digest,
      size,
      sources: ranked.map(({ directory }) => copyKey(directory, digest)),
      targets: [...directories]
        .filter((directory) => stored.get(directory)?.placeholder !== false)
        .map((directory) => ({
          key: copyKey(directory, digest),
          placeholder: stored.has(directory),
        }))
        .sort((a, b) => compareBytes(a.key, b.key)),
    };
  }
}
