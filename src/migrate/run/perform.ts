import { isStoreError } from '../../store/errors.js';
import type { DeleteFailure, WritableObjectStore } from '../../store/object-store.js';
import type { ProgressLine } from '../journal/format.js';
import type { JournalWriter } from '../journal/writer.js';
import type { Move } from '../moves/move.js';
import type { Steps } from '../moves/steps.js';
import { copyKey } from '../survey/blob-table.js';
import { batches, type Batch } from './batches.js';
import { inParallel } from './in-parallel.js';
import { KEYS_PER_DELETION, type Skipped } from './requests.js';
import { settle, type Outcome } from './settle.js';

export interface PerformOptions {
  readonly store: WritableObjectStore;
  /** Key prefix of the registry's root. */
  readonly root: string;
  readonly moves: AsyncIterable<Move> | Iterable<Move>;
  readonly journal: JournalWriter;
  readonly kind: 'progress' | 'rollback';
  /** Digests worked on at once. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * Called before objects are emptied and before each request that deletes some; may throw. `first`:
   * nothing was lost yet.
   */
  readonly beforeLoss: (first: boolean) => Promise<void>;
  /** Called after each digest whose content is where it shall be, with its copied bytes. */
  readonly onSettled?: ((bytes: number) => void) | undefined;
}

/** An object that was left alone, though its key was to go. */
export interface Kept {
  /** Relative to the root. */
  readonly key: string;
}

/** What came of all moves. */
export interface Performed {
  readonly settled: number;
  readonly skipped: readonly Skipped[];
  /** Objects whose bytes are not what their names say: nothing could bring them back. */
  readonly kept: readonly Kept[];
  /** Objects written or deleted, journals apart. */
  readonly changes: number;
  /** Deletions that the store refused: then nothing more was done. */
  readonly refused: readonly DeleteFailure[];
}

/**
 * Make moves come true, batch after batch: content to where it shall be, verified; then a note in
 * the journal; and only then placeholders are written and objects deleted. May be begun again after
 * it was cut off at any request.
 * @throws StoreError, and what `beforeLoss` throws
 */
export async function perform(options: PerformOptions): Promise<Performed> {
  const { moves, concurrency, signal, journal, kind } = options;
  const skipped: Skipped[] = [];
  const kept: Kept[] = [];
  let settled = 0;
  let changes = 0;
  let mayLose = false;
  for await (const batch of batches(moves)) {
    const results = await inParallel(batch.moves, concurrency, async (one) => {
      signal?.throwIfAborted();
      const outcome = await settle(one.move, options);
      if (outcome.state === 'settled') {
        options.onSettled?.(one.steps.copyTo.length * outcome.settled.size);
      }
      return { ...one, outcome };
    });
    for (const { move, steps, outcome } of results) {
      changes += outcome.state === 'settled' ? steps.copyTo.length : 0;
      if (outcome.state === 'skipped')
        skipped.push({
          digest: move.digest,
          reason: outcome.reason,
          ...(outcome.passing === true && { passing: true }),
        });
      else {
        settled += 1;
        for (const directory of outcome.settled.keep) {
          kept.push({ key: copyKey(directory, move.digest) });
        }
      }
    }
    const lines = linesOf(results);
    if (lines.some((line) => 'at' in line)) await journal.progress(kind, lines);
    const loss = lossOf(results, options.root);
    if (loss.placeholders.length + loss.remove.length === 0) continue;
    await options.beforeLoss(!mayLose);
    mayLose = true;
    const refused = await lose(loss, options);
    if (refused.length > 0) return { settled, skipped, kept, changes, refused };
    changes += loss.placeholders.length + loss.remove.length;
  }
  return { settled, skipped, kept, changes, refused: [] };
}

type Result = Batch['moves'][number] & { readonly outcome: Outcome };

/** What the journal does not say yet. */
function linesOf(results: readonly Result[]): ProgressLine[] {
  return results.flatMap(({ move, steps, outcome }): ProgressLine[] => {
    const blob = move.digest;
    if (outcome.state === 'skipped') return [{ blob, skipped: outcome.reason }];
    const { size, at, keep } = outcome.settled;
    if (steps.isSettled && steps.copyTo.length === 0) return [];
    return [
      {
        blob,
        size,
        at: at.map(([directory, etag]) => (etag === undefined ? [directory] : [directory, etag])),
        keep: [...keep],
      },
    ];
  });
}

/** Whole keys that get a placeholder, and that go. */
interface Loss {
  readonly placeholders: readonly string[];
  readonly remove: readonly string[];
}

function lossOf(results: readonly Result[], root: string): Loss {
  const keysOf = (choose: (steps: Steps) => readonly string[]): string[] =>
    results.flatMap(({ move, steps, outcome }) => {
      if (outcome.state === 'skipped') return [];
      const { keep } = outcome.settled;
      return choose(steps)
        .filter((directory) => !keep.includes(directory))
        .map((directory) => root + copyKey(directory, move.digest));
    });
  return {
    placeholders: keysOf((steps) => steps.putPlaceholders),
    remove: keysOf((steps) => steps.remove),
  };
}

/** Write the placeholders and delete what is to go. @returns what the store would not delete */
async function lose(
  { placeholders, remove }: Loss,
  { store, concurrency, signal, beforeLoss }: PerformOptions,
): Promise<DeleteFailure[]> {
  await inParallel(placeholders, concurrency, (key) => store.put(key, new Uint8Array(), signal));
  for (let from = 0; from < remove.length; from += KEYS_PER_DELETION) {
    const keys = remove.slice(from, from + KEYS_PER_DELETION);
    if (from > 0) await beforeLoss(false);
    const refused = await deleteKeys(store, keys, signal);
    if (refused.length > 0) return refused;
  }
  return [];
}

async function deleteKeys(
  store: WritableObjectStore,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<DeleteFailure[]> {
  try {
    return [...(await store.deleteMany(keys, signal))];
  } catch (error) {
    if (!isStoreError(error, 'AccessDenied')) throw error;
    return keys.map((key) => ({ key, error }));
  }
}
