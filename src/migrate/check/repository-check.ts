import type { Digest } from '../../oci/digest.js';
import { MAX_MANIFEST_BYTES } from '../../oci/limits.js';
import { isStoreError, type StoreErrorCode } from '../../store/errors.js';
import {
  ClosureReader,
  type ManifestRead,
  type RepositoryClosure,
} from '../survey/closure-reader.js';
import type { BlobCopy } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';
import { compareBytes } from '../../registry/inventory/inventory.js';
import type { BlobPlaces, Condition } from './blob-places.js';
import { DamagedBlobs } from './damaged-blobs.js';
import { DigestFlags, REFERENCED } from './digest-flags.js';
import { HashedObjects } from './hashed-objects.js';
import { imagesReaching } from './images-reaching.js';
import { digestsOf, Members } from './members.js';
import type { DamageFound, OddDocument, UnreadableRepository, WarningsFound } from './report.js';

export interface RepositoryCheckOptions {
  /** Manifests of one repository that are read at once. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each document with the number read so far. */
  readonly onProgress?: ((documents: number) => void) | undefined;
  /** Called for each digest of each repository that is judged. */
  readonly onJudged?: ((judged: JudgedBlob) => void) | undefined;
}

/** How a repository fares with one digest that it refers to. */
export interface JudgedBlob {
  readonly repository: string;
  readonly number: number;
  readonly digest: Digest;
  /** Lengths that descriptors claim, bytes. */
  readonly sizes: readonly number[];
  /** Its absence would be excused. */
  readonly foreign: boolean;
  readonly condition: Condition;
  readonly copies: readonly BlobCopy[];
}

/** Failures of one document's request that say nothing about the next one's. */
const OF_ONE_OBJECT: readonly StoreErrorCode[] = [
  'AccessDenied',
  'Archived',
  'Failed',
  'Interrupted',
  'Timeout',
  'Unavailable',
];

/** Repositories read at once. */
const REPOSITORIES_AT_ONCE = 4;

/** That many repositories in a row that cannot be read mean that the store is down. */
const PATIENCE = 20;

/** Compares what repositories refer to with what a survey found stored. */
export class RepositoryCheck {
  readonly flags = new DigestFlags();
  readonly hashed = new HashedObjects(this.flags);
  /** Whole keys of the objects that were read as manifests. */
  readonly manifestKeys = new Set<string>();
  /** Repositories whose closure was compared. */
  judged = 0;
  /** Distinct digests that they refer to, and their bytes as descriptors claim. */
  referenced = 0;
  referencedBytes = 0;
  /** Placeholders that stand for bytes elsewhere, over all repositories. */
  resolved = 0;
  /** Distinct digests that are rightly absent. */
  foreign = 0;
  /** Objects in repositories that refer to them. */
  ownObjects = 0;
  readonly #survey: Survey;
  readonly #places: BlobPlaces;
  readonly #reader: ClosureReader;
  readonly #damaged: DamagedBlobs;
  readonly #unreadable: UnreadableRepository[] = [];
  readonly #doubts = new Map<number, string>();
  readonly #lostManifests = new Set<number>();
  readonly #odd: OddDocument[] = [];
  readonly #foreign = new Set<number>();
  readonly #onJudged: RepositoryCheckOptions['onJudged'];
  readonly #members = new Members();
  #failuresInARow = 0;

  constructor(survey: Survey, places: BlobPlaces, options: RepositoryCheckOptions) {
    this.#survey = survey;
    this.#places = places;
    this.#damaged = new DamagedBlobs(survey);
    const { concurrency, signal, onProgress } = options;
    this.#onJudged = options.onJudged;
    const onManifest = (read: ManifestRead) => this.#noteManifest(read);
    this.#reader = new ClosureReader(survey, { concurrency, signal, onProgress, onManifest });
  }

  /** Whether all that the repositories refer to is known. */
  get isWhole(): boolean {
    const unknown = [this.#unreadable.length, this.#odd.length, this.#doubts.size];
    return unknown.every((number) => number === 0) && this.#lostManifests.size === 0;
  }

  /**
   * Follow these repositories and compare.
   * @throws StoreError when the store fails altogether
   */
  async judge(repositories: readonly string[]): Promise<void> {
    await this.#each(repositories, (closure) => {
      this.judged += 1;
      this.#judge(closure);
    });
  }

  /**
   * Only note what these repositories refer to.
   * @throws StoreError when the store fails altogether
   */
  async follow(repositories: readonly string[]): Promise<void> {
    await this.#each(repositories, () => undefined);
  }

  damage(): DamageFound {
    const byName = [...this.#unreadable].sort((a, b) => compareBytes(a.repository, b.repository));
    const list = (condition: 'missing' | 'unresolved' | 'misplaced' | 'wrongSize') =>
      this.#damaged.list(condition);
    const repositoriesOf = this.#members.whoRefersTo(this.hashed.numbers());
    return {
      unreadable: byName,
      missing: list('missing'),
      unresolved: list('unresolved'),
      misplaced: list('misplaced'),
      wrongSize: list('wrongSize'),
      corrupt: this.hashed.corrupt(true, repositoriesOf),
      unread: this.hashed.unread(true),
    };
  }

  warnings(): Pick<WarningsFound, 'documents' | 'corruptUnreferenced' | 'unhashed'> {
    const repositoriesOf = this.#members.whoRefersTo(new Set(this.#doubts.keys()));
    const { digests } = this.#survey.blobs;
    const documents = [...this.#doubts].map(([number, reason]) => ({
      digest: digests.digest(number),
      repositories: repositoriesOf(number),
      reason,
    }));
    return {
      documents: [...this.#odd, ...documents].sort((a, b) =>
        compareBytes(a.digest ?? '', b.digest ?? ''),
      ),
      corruptUnreferenced: this.hashed.corrupt(false, () => []),
      unhashed: this.hashed.unread(false),
    };
  }

  /** Manifests without any bytes, and who refers to them: what they referred to is not known. */
  lostManifests(): { readonly digest: Digest; readonly repositories: readonly string[] }[] {
    const repositoriesOf = this.#members.whoRefersTo(this.#lostManifests);
    return [...this.#lostManifests].map((number) => ({
      digest: this.#survey.blobs.digests.digest(number),
      repositories: repositoriesOf(number),
    }));
  }

  async #each(
    repositories: readonly string[],
    work: (closure: RepositoryClosure) => void,
  ): Promise<void> {
    const queue = repositories.values();
    const worker = async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) {
        const closure = await this.#read(next.value);
        if (closure === undefined) continue;
        this.#note(closure);
        work(closure);
      }
    };
    await Promise.all(Array.from({ length: REPOSITORIES_AT_ONCE }, worker));
  }

  /** Undefined, and the reason noted, when the repository cannot be read. */
  async #read(repository: string): Promise<RepositoryClosure | undefined> {
    try {
      const closure = await this.#reader.read(repository);
      this.#failuresInARow = 0;
      if (closure.problem === undefined) return closure;
      this.#unreadable.push({ repository, reason: closure.problem });
    } catch (error) {
      this.#failuresInARow += 1;
      if (!isStoreError(error, ...OF_ONE_OBJECT) || this.#failuresInARow > PATIENCE) throw error;
      this.#unreadable.push({ repository, reason: error.message });
    }
    return undefined;
  }

  #note({ repository, blobs, unread, cutShort, doubt }: RepositoryClosure): void {
    const numbers = new Set<number>();
    for (const { number, size } of blobs) {
      numbers.add(number);
      if (this.flags.has(number, REFERENCED)) continue;
      this.flags.set(number, REFERENCED);
      this.referenced += 1;
      this.referencedBytes += size;
    }
    this.#members.set(repository, numbers);
    const tell = (reason: string) => this.#odd.push({ repositories: [repository], reason });
    if (cutShort === true) tell('It refers to more than is followed.');
    if (doubt !== undefined) tell(doubt);
    for (const digest of unread) this.#noteUnread(digest);
  }

  /** A manifest that has no object with bytes, or none that could be read as what it should be. */
  #noteUnread(digest: Digest): void {
    const { blobs } = this.#survey;
    const number = blobs.digests.number(digest);
    const contents = blobs.copies(number).filter(({ placeholder }) => !placeholder);
    if (contents.length === 0) this.#lostManifests.add(number);
    if (contents.length === 0 || this.#doubts.has(number)) return;
    const isTooLarge = contents.every(({ size }) => size > MAX_MANIFEST_BYTES);
    this.#doubts.set(
      number,
      isTooLarge
        ? `It is larger than ${MAX_MANIFEST_BYTES} bytes, so it is not followed.`
        : 'None of its objects could be read as what it should be.',
    );
  }

  #noteManifest({ digest, key, outcome }: ManifestRead): void {
    const { blobs, root } = this.#survey;
    const number = blobs.digests.number(digest);
    this.manifestKeys.add(root + key);
    this.hashed.add({ number, digest, key: root + key, outcome });
    if (outcome.state === 'right' && outcome.doubt !== undefined) {
      this.#doubts.set(number, outcome.doubt);
    }
  }

  #judge(closure: RepositoryClosure): void {
    const { repository, roots } = closure;
    const { blobs } = this.#survey;
    const lacking = new Map<Digest, { condition: Lacking; sizes: readonly number[] }>();
    for (const [number, { sizes, foreign }] of digestsOf(closure)) {
      const digest = blobs.digests.digest(number);
      const copies = blobs.copies(number);
      if (copies.some(({ directory }) => directory === repository)) this.ownObjects += 1;
      const condition = this.#places.judge({ digest, sizes }, copies, repository);
      this.#onJudged?.({ repository, number, digest, sizes, foreign, condition, copies });
      if (condition === 'resolved') this.resolved += 1;
      if (condition === 'present' || condition === 'resolved') continue;
      if (foreign) this.#foreign.add(number);
      else lacking.set(digest, { condition, sizes });
    }
    this.foreign = this.#foreign.size;
    if (lacking.size === 0) return;
    const known = (digest: Digest) => this.#reader.known(digest);
    const images = imagesReaching(new Set(lacking.keys()), roots, known);
    for (const [digest, { condition, sizes }] of lacking) {
      const affected = { repository, images: images.get(digest) ?? [] };
      this.#damaged.add(condition, { digest, sizes }, affected);
    }
  }
}

type Lacking = Exclude<Condition, 'present' | 'resolved'>;
