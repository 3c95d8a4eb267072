import type { WritingCapabilities } from '../../store/object-store.js';
import type { Move } from '../moves/move.js';
import { batches } from '../run/batches.js';
import { forecast } from '../run/forecast.js';
import { obstacle } from '../run/obstacle.js';
import {
  KEYS_PER_DELETION,
  NO_REQUESTS,
  sum,
  type Requests,
  type Skipped,
} from '../run/requests.js';

/** What moves amount to, when every object is what its name says. */
export interface Totals {
  /** Digests with something to do. */
  readonly digests: number;
  /** Digests that are where they shall be already, or nobody's. */
  readonly idle: number;
  /** Digests that will be left alone. */
  readonly skipped: readonly Skipped[];
  /** Copies to make, and their bytes. */
  readonly copies: number;
  readonly copiedBytes: number;
  /** Placeholders to write. */
  readonly placeholders: number;
  /** Objects to delete: content and placeholders, and the bytes that this frees. */
  readonly deletedContent: number;
  readonly deletedPlaceholders: number;
  readonly freedBytes: number;
  /** Digests whose verification needs their bytes here. */
  readonly readBack: number;
  /** Journal segments with progress. */
  readonly batches: number;
  /** Without the journal's former states, lists and looks at signs of life. */
  readonly requests: Requests;
}

/** Add up moves. What cannot be moved for a reason that a listing shows is skipped here already. */
export async function totalsOf(
  moves: AsyncIterable<Move> | Iterable<Move>,
  capabilities: WritingCapabilities,
): Promise<Totals> {
  let idle = 0;
  const skipped: Skipped[] = [];
  const totals = {
    digests: 0,
    copies: 0,
    copiedBytes: 0,
    placeholders: 0,
    deletedContent: 0,
    deletedPlaceholders: 0,
    freedBytes: 0,
    readBack: 0,
    batches: 0,
    requests: NO_REQUESTS,
  };
  for await (const { moves: batch } of batches(moves, () => (idle += 1))) {
    const before = totals.digests;
    const emptied = totals.placeholders;
    let removed = 0;
    for (const { move, steps } of batch) {
      const { digest, copies } = move;
      const reason = obstacle(digest, steps.sources.length);
      if (reason !== undefined) {
        skipped.push({ digest, reason });
        continue;
      }
      const requests = forecast(digest, steps, capabilities);
      totals.digests += 1;
      totals.copies += steps.copyTo.length;
      totals.copiedBytes += steps.copyTo.length * (steps.sources[0]?.size ?? 0);
      totals.placeholders += steps.putPlaceholders.length;
      if (requests.get > 0) totals.readBack += 1;
      totals.requests = sum(totals.requests, requests);
      removed += steps.remove.length;
      for (const copy of copies) {
        if (!steps.remove.includes(copy.directory)) continue;
        totals[copy.placeholder ? 'deletedPlaceholders' : 'deletedContent'] += 1;
        totals.freedBytes += copy.size;
      }
    }
    const settles = totals.digests > before;
    totals.batches += settles ? 1 : 0;
    const deletions = Math.ceil(removed / KEYS_PER_DELETION);
    totals.requests = sum(totals.requests, {
      put: settles ? 1 : 0,
      // The lock is read before anything is lost, and between requests that delete.
      get: removed > 0 || totals.placeholders > emptied ? Math.max(1, deletions) : 0,
      delete: deletions,
    });
  }
  return { ...totals, idle, skipped };
}
