import { setTimeout as sleep } from 'node:timers/promises';
import { isStoreError } from '../store/errors.js';
import type { GetResult } from '../store/object-store.js';
import { readRange } from './body.js';
import { BlobError, isBlobError } from './errors.js';
import type { BlobFinder, BlobName, FoundObject } from './finder.js';
import { type PartRange, partRange } from './parts.js';
import { Semaphore } from './semaphore.js';

/** Attempts at one part: the object may have moved, or the connection may have broken. */
const ATTEMPTS = 4;

/** First pause after a broken transfer, doubled each time, in ms. */
const FIRST_PAUSE = 100;

/** Parts in transfer at once, over all blobs. */
const MAX_TRANSFERS = 32;

/**
 * Fetches parts: ranged GETs tied to the version that was found (`If-Match`), begun anew on another
 * object when that one moved, was emptied or deleted in the meantime.
 */
export class PartFetcher {
  readonly #finder: BlobFinder;
  readonly #transfers = new Semaphore(MAX_TRANSFERS);

  constructor(finder: BlobFinder) {
    this.#finder = finder;
  }

  /**
   * The bytes of part `index`.
   * @throws BlobError
   */
  fetch(name: BlobName, index: number): Promise<Uint8Array> {
    return this.#transfers.run(() => this.#attempts(name, partRange(index, name.size)));
  }

  /** Read the body of an answer that is already there; fetch anew if it breaks. */
  async finish(name: BlobName, index: number, answer: GetResult): Promise<Uint8Array> {
    const { offset, length } = partRange(index, name.size);
    try {
      return await readRange(answer, offset, length);
    } catch {
      return this.fetch(name, index);
    }
  }

  async #attempts(name: BlobName, range: PartRange): Promise<Uint8Array> {
    let failure: unknown;
    let mayHaveMoved = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const known = this.#finder.known(name);
      // Shared blobs stay where they are; those of a repository go to another one when it is deleted.
      if (known) mayHaveMoved = known.location.source !== 'shared';
      try {
        const answer = known
          ? await get(known, range)
          : (await this.#finder.find(name, range, { mayHaveMoved })).answer;
        if (answer) return await readRange(answer, range.offset, range.length);
        if (known) this.#finder.forget(known);
      } catch (error) {
        if (!isStoreError(error) && !isBlobError(error, 'absent')) throw error;
        failure = error;
        if (known && hasMoved(error)) this.#finder.forget(known);
        // It was there when it was opened: a registry that moves it may not be done yet.
        else if (isBlobError(error) || isTransient(error)) await sleep(FIRST_PAUSE * 2 ** attempt);
        else break;
      }
    }
    const reason = failure instanceof Error ? failure.message : 'its object keeps changing.';
    throw new BlobError('unavailable', `${name.digest} cannot be read: ${reason}`, {
      cause: failure,
    });
  }
}

/** The range of the version that was found; undefined when the object has another size by now. */
async function get(found: FoundObject, range: PartRange): Promise<GetResult | undefined> {
  const { store, key } = found.location;
  const ifMatch = store.capabilities.conditionalGet ? found.etag : undefined;
  const answer = await store.get(key, { range, ...(ifMatch !== undefined && { ifMatch }) });
  if (answer.info.size === found.size) return answer;
  answer.cancel();
  return undefined;
}

function hasMoved(error: unknown): boolean {
  return isStoreError(
    error,
    'NotFound',
    'PreconditionFailed',
    'RangeNotSatisfiable',
    'AccessDenied',
  );
}

function isTransient(error: unknown): boolean {
  return isStoreError(error, 'Interrupted', 'Timeout', 'Unavailable', 'Unreachable');
}
