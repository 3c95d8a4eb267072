import { LRUCache } from 'lru-cache';
import { BLOBSTORE, STORAGE } from './blob-roots.js';

/** The places where zot may keep a repository's blob. */
export type Place = 'repository' | typeof BLOBSTORE | typeof STORAGE;

/** What detection saw of the places. */
export interface SeenPlaces {
  readonly repository: boolean;
  readonly blobstore: boolean;
  readonly storage: boolean;
}

/** Weight of the latest success against all earlier ones. */
const LATEST = 0.25;
/** Repositories remembered as having blobs of their own or none. */
const REMEMBERED = 20_000;

/**
 * In which order the places are tried: the one that had the bytes lately first, since a wrong
 * guess costs a request. Shared places start ahead of repositories where they exist, because
 * a registry that has them writes there.
 */
export class CandidateOrder {
  readonly #scores: Map<Place, number>;
  readonly #ownBlobs = new LRUCache<string, boolean>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: REMEMBERED,
    sizeCalculation: () => 1,
  });

  constructor(seen: SeenPlaces) {
    this.#scores = new Map<Place, number>([
      ['repository', seen.repository ? 0.5 : 0.1],
      [BLOBSTORE, seen.blobstore ? 1 : 0],
      [STORAGE, seen.storage ? 0.9 : 0],
    ]);
  }

  /** A listing of `repository` showed blobs of its own, or none. */
  noteOwnBlobs(repository: string, ownBlobs: boolean): void {
    this.#ownBlobs.set(repository, ownBlobs);
  }

  /** `place` had the bytes of some blob. */
  succeeded(place: Place): void {
    for (const [known, score] of this.#scores) {
      this.#scores.set(known, score * (1 - LATEST) + (known === place ? LATEST : 0));
    }
  }

  /** All places, best first; own blobs last where a listing showed that there are none. */
  places(repository: string): Place[] {
    const none = this.#ownBlobs.get(repository) === false;
    const score = (place: Place): number =>
      none && place === 'repository' ? -1 : (this.#scores.get(place) ?? 0);
    return [...this.#scores.keys()].sort((a, b) => score(b) - score(a));
  }
}
