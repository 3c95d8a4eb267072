import type { Digest } from '../../oci/digest.js';
import type { RegistryArea } from '../../registry/registry.js';
import type { WritableObjectStore } from '../../store/object-store.js';
import { BlobPlaces } from '../check/blob-places.js';
import { REFERENCED } from '../check/digest-flags.js';
import { RepositoryCheck } from '../check/repository-check.js';
import type { Survey } from '../survey/survey.js';
import { takeSurvey } from '../survey/take-survey.js';

/** How far a collection is. */
export type CollectionProgress =
  | { readonly stage: 'list'; readonly keys: number }
  | { readonly stage: 'follow'; readonly documents: number }
  | { readonly stage: 'delete'; readonly objects: number; readonly total: number };

export interface ReachOptions {
  readonly store: WritableObjectStore;
  /** Manifests of one repository read at once. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CollectionProgress) => void) | undefined;
}

/** All that the indexes of one root reach. */
export interface Reach {
  readonly survey: Survey;
  isReached(digest: Digest): boolean;
  /** Why more may be reached than is known, full sentences. */
  readonly doubts: readonly string[];
}

/**
 * List a root and follow every `index.json` in it: those of directories that are no repositories,
 * and those of names that the registry does not serve, too.
 * @throws StoreError
 */
export async function findReach(area: RegistryArea, options: ReachOptions): Promise<Reach> {
  const { root, rules, kind } = area;
  const { store, concurrency, signal, onProgress } = options;
  const survey = await takeSurvey({
    store,
    root,
    rules,
    signal,
    onProgress: (keys) => onProgress?.({ stage: 'list', keys }),
  });
  const check = new RepositoryCheck(survey, new BlobPlaces(survey, kind), {
    concurrency,
    signal,
    onProgress: (documents) => onProgress?.({ stage: 'follow', documents }),
  });
  const withIndex = [...survey.directories].filter(([, { index }]) => index !== undefined);
  await check.follow(withIndex.map(([path]) => path));
  const { digests } = survey.blobs;
  return {
    survey,
    isReached: (digest) => {
      const number = digests.find(digest);
      return number !== undefined && check.flags.has(number, REFERENCED);
    },
    doubts: doubtsOf(check),
  };
}

function doubtsOf(check: RepositoryCheck): string[] {
  const name = (repository: string) => (repository === '' ? 'the root' : repository);
  return [
    ...check
      .damage()
      .unreadable.map(({ repository, reason }) => `${name(repository)} cannot be read: ${reason}`),
    ...check.lostManifests().map(({ digest, repositories }) => {
      return `The manifest ${digest} of ${name(repositories[0] ?? '')} is lost, and what it needs is not known.`;
    }),
    ...check.warnings().documents.map(({ digest, repositories, reason }) => {
      const what = digest ?? 'index.json';
      return `${what} of ${name(repositories[0] ?? '')} may need more than is known: ${reason}`;
    }),
  ];
}
