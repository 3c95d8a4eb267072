import type { Move } from '../moves/move.js';
import { isIdle, stepsOf, type Steps } from '../moves/steps.js';

/** Moves that are journaled together. */
export interface Batch {
  readonly moves: readonly { readonly move: Move; readonly steps: Steps }[];
}

/** After a crash no more than a batch is verified once more. */
const MOST_MOVES = 500;
const MOST_BYTES = 64 * 1024 ** 3;

/**
 * Group the moves that have something to do, in their order.
 * @param onIdle told of those that have nothing to do
 */
export async function* batches(
  moves: AsyncIterable<Move> | Iterable<Move>,
  onIdle: (move: Move) => void = () => undefined,
): AsyncGenerator<Batch> {
  let batch: Batch['moves'][number][] = [];
  let bytes = 0;
  for await (const move of moves) {
    const steps = stepsOf(move);
    if (isIdle(steps)) {
      onIdle(move);
      continue;
    }
    batch.push({ move, steps });
    bytes += steps.copyTo.length * (steps.sources[0]?.size ?? 0);
    if (batch.length < MOST_MOVES && bytes < MOST_BYTES) continue;
    yield { moves: batch };
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield { moves: batch };
}
