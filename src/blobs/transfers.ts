import { setTimeout as sleep } from 'node:timers/promises';
import { isStoreError, StoreError } from '../store/errors.js';
import type { GetResult } from '../store/object-store.js';
import { BlobError, isBlobError } from './errors.js';
import type { Extent } from './extent.js';
import type { BlobFinder, BlobName, FoundObject } from './finder.js';
import type { ByteRange } from './grid.js';

/** Attempts in a row that bring nothing: the object may have moved, or the connection have broken. */
const ATTEMPTS = 4;

/** First pause after a broken transfer, doubled each time, in ms. */
const FIRST_PAUSE = 100;

/** A transfer slower than this, that somebody waits for, is begun anew. Bytes per second. */
const SLOWEST = 1024;

/** How an extent gets its bytes. */
export interface Transfer {
  readonly name: BlobName;
  readonly extent: Extent;
  /** The memory of a range of the extent. */
  memory(range: ByteRange): Uint8Array;
  /** Take note of what is in memory before `position`; false: these bytes are not to be used. */
  admit(position: number): boolean;
  /** The bytes were wrong; whether to try again. */
  refused(): boolean;
}

/** Bytes came that differ from those delivered before. */
class RefusedBytes extends Error {}

/**
 * Fills extents: ranged GETs tied to the version that was found (`If-Match`), begun anew on another
 * object when that one moved, was emptied or deleted in the meantime.
 */
export class Transfers {
  readonly #finder: BlobFinder;
  /** Between two looks whether a transfer gets on, in ms. */
  readonly #patienceMs: number;

  constructor(finder: BlobFinder, deadlineMs: number) {
    this.#finder = finder;
    this.#patienceMs = Math.max(1000, deadlineMs / 4);
  }

  /**
   * Fill the extent to its end, or until it is stopped.
   * @param signal stops it
   * @param answer to the first GET, if that was sent already
   * @throws BlobError
   */
  async fill(transfer: Transfer, signal: AbortSignal, answer?: GetResult): Promise<void> {
    const { extent, name } = transfer;
    let first = answer;
    let failure: unknown;
    let mayHaveMoved = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const from = extent.here;
      if (from >= extent.end || isStopped(signal)) {
        first?.cancel();
        return;
      }
      const range = { offset: from, length: extent.end - from };
      const known = this.#finder.known(name);
      // Shared blobs stay where they are; those of a repository go to another one when it is deleted.
      if (known) mayHaveMoved = known.location.source !== 'shared';
      try {
        const watch = new Watch(extent, this.#patienceMs, signal);
        try {
          const answered =
            first ?? (await this.#ask(name, range, known, mayHaveMoved, watch.signal));
          first = undefined;
          if (answered) await receive(transfer, answered, range, watch);
          else if (known) this.#finder.forget(known);
        } finally {
          watch.end();
        }
      } catch (error) {
        first = undefined;
        if (isStopped(signal)) return;
        failure = error;
        if (error instanceof RefusedBytes) {
          if (!transfer.refused()) return;
        } else if (!isStoreError(error) && !isBlobError(error, 'absent')) throw error;
        else if (known && hasMoved(error)) this.#finder.forget(known);
        // It was there when it was opened: a registry that moves it may not be done yet.
        else if (isBlobError(error) || isTransient(error)) await pause(attempt, signal);
        else break;
      }
      if (extent.here > from) attempt = -1;
    }
    const reason = failure instanceof Error ? failure.message : 'its object keeps changing.';
    throw new BlobError('unavailable', `${name.digest} cannot be read: ${reason}`, {
      cause: failure,
    });
  }

  async #ask(
    name: BlobName,
    range: ByteRange,
    known: FoundObject | undefined,
    mayHaveMoved: boolean,
    signal: AbortSignal,
  ): Promise<GetResult | undefined> {
    if (known) return get(known, range, signal);
    return (await this.#finder.find(name, range, { mayHaveMoved, signal })).answer;
  }
}

/** Ends one attempt when it is stopped from outside or does not get on. */
class Watch {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = () => {
    this.#controller.abort();
  };
  /** Of the body, so far; undefined before its head is here, for which the store has a deadline. */
  bytes: number | undefined;
  isTooSlow = false;

  constructor(extent: Extent, patienceMs: number, outer: AbortSignal) {
    this.#outer = outer;
    outer.addEventListener('abort', this.#stop);
    let before: number | undefined;
    this.#timer = setInterval(() => {
      if (before !== undefined && this.bytes !== undefined && extent.isWanted) {
        this.isTooSlow = this.bytes - before < (SLOWEST * patienceMs) / 1000;
      }
      before = this.bytes;
      if (this.isTooSlow) this.#stop();
    }, patienceMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#outer.removeEventListener('abort', this.#stop);
  }
}

/** Put the wanted range of an answer into the extent's memory. */
async function receive(
  transfer: Transfer,
  answer: GetResult,
  range: ByteRange,
  watch: Watch,
): Promise<void> {
  const target = transfer.memory(range);
  watch.bytes = 0;
  const state = { isRefused: false };
  const stop = () => {
    answer.cancel();
  };
  watch.signal.addEventListener('abort', stop);
  const arrived = (bytes: number) => {
    watch.bytes = bytes;
    if (state.isRefused || transfer.admit(range.offset + bytes)) return;
    state.isRefused = true;
    answer.cancel();
  };
  try {
    if (watch.signal.aborted) stop();
    if (answer.offset === range.offset && answer.length === range.length) {
      await answer.readInto(target, arrived);
    } else {
      await cutOut(answer, range, target, arrived);
    }
  } catch (error) {
    if (state.isRefused) throw new RefusedBytes();
    if (watch.isTooSlow) {
      throw new StoreError('Timeout', `The bytes of ${answer.info.key} come too slowly.`);
    }
    throw isStoreError(error) ? error : interrupted(answer, error);
  } finally {
    watch.signal.removeEventListener('abort', stop);
  }
  if (state.isRefused) throw new RefusedBytes();
}

/** A store that ignored the range sends more, or other bytes first. */
async function cutOut(
  answer: GetResult,
  { offset, length }: ByteRange,
  target: Uint8Array,
  arrived: (bytes: number) => void,
): Promise<void> {
  let filled = 0;
  let position = answer.offset;
  for await (const chunk of answer.body) {
    const from = Math.max(0, offset - position);
    const wanted = chunk.subarray(Math.min(from, chunk.length), from + length - filled);
    target.set(wanted, filled);
    filled += wanted.length;
    position += chunk.length;
    if (wanted.length > 0) arrived(filled);
    if (filled === length) break;
  }
  answer.cancel();
  if (filled < length) throw interrupted(answer, undefined);
}

/** It may have been aborted since the last look. */
function isStopped(signal: AbortSignal): boolean {
  return signal.aborted;
}

function interrupted(answer: GetResult, cause: unknown): StoreError {
  const message = `The body of ${answer.info.key} ended early, or was not what was asked for.`;
  return new StoreError('Interrupted', message, { cause });
}

/** The range of the version that was found; undefined when the object has another size by now. */
async function get(
  found: FoundObject,
  range: ByteRange,
  signal: AbortSignal,
): Promise<GetResult | undefined> {
  const { store, key } = found.location;
  const ifMatch = store.capabilities.conditionalGet ? found.etag : undefined;
  const answer = await store.get(key, { range, signal, ...(ifMatch !== undefined && { ifMatch }) });
  if (answer.info.size === found.size) return answer;
  answer.cancel();
  return undefined;
}

async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(FIRST_PAUSE * 2 ** attempt, undefined, { signal }).catch(() => undefined);
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
