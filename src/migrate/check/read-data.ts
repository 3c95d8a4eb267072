import type { Digest } from '../../oci/digest.js';
import type { Survey } from '../survey/survey.js';
import { hashObject, type HashOutcome } from './hash-object.js';
import { distinctFiles } from './storage-use.js';

/** An object with bytes, and what reading it told. */
export interface ReadObject {
  readonly number: number;
  readonly digest: Digest;
  /** Whole key. */
  readonly key: string;
  /** As listed. */
  readonly size: number;
  readonly outcome: HashOutcome;
}

export interface ReadDataOptions {
  /** Chance of each object to be read, above 0 and up to 1. */
  readonly share: number;
  /** Whether an object of this digest is to be read at all. */
  readonly isOfInterest: (number: number) => boolean;
  /** Whether the object with this whole key was read before. */
  readonly isKnown?: (key: string) => boolean;
  /** Objects read at once; each takes one connection and a few chunks of memory. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes read and the bytes there are to read. */
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
  readonly onRead: (object: ReadObject) => void;
}

/**
 * Read and hash the objects of a survey that hold bytes, or a random part of them. Memory grows
 * neither with their number nor with their size.
 * @throws StoreError `Aborted`
 */
export async function readData(survey: Survey, options: ReadDataOptions): Promise<void> {
  const { store } = survey;
  const { concurrency, signal, onProgress, onRead } = options;
  const choice = { ...options, seed: Math.floor(Math.random() * 2 ** 32) };
  // Gone through twice instead of kept: there may be millions.
  let total = 0;
  for (const { size } of choose(survey, choice)) total += size;
  let read = 0;
  const onBytes = (bytes: number) => {
    read += bytes;
    onProgress?.(read, total);
  };
  const queue = choose(survey, choice);
  const work = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const object = next.value;
      const outcome = await hashObject({ store, ...object }, { signal, onBytes });
      onRead({ ...object, outcome });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

type Choice = Pick<ReadDataOptions, 'share' | 'isOfInterest' | 'isKnown'> & {
  readonly seed: number;
};

/** The same objects for the same seed; hard links once. */
function* choose(
  { blobs, root, store }: Survey,
  { share, isOfInterest, isKnown = () => false, seed }: Choice,
): Generator<Omit<ReadObject, 'outcome'>> {
  const random = randomNumbers(seed);
  // What is counted later was not listed.
  const count = blobs.digests.size;
  for (let number = 0; number < count; number += 1) {
    if (!isOfInterest(number)) continue;
    const contents = blobs.copies(number).filter(({ placeholder }) => !placeholder);
    const files = store.capabilities.linkedObjects === true ? distinctFiles(contents) : contents;
    const digest = blobs.digests.digest(number);
    for (const { key, size } of files) {
      if (share < 1 && random() >= share) continue;
      if (!isKnown(root + key)) yield { number, digest, key: root + key, size };
    }
  }
}

/** Numbers from 0 up to 1 that follow from `seed` (the generator "mulberry32"). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
