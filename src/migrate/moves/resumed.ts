import type { FormerLine, ProgressLine } from '../journal/format.js';
import type { Survey } from '../survey/survey.js';
import type { Move, Settled } from './move.js';

/** What earlier attempts verified, by the digest's number in a survey. */
export type SettledDigests = ReadonlyMap<number, Settled>;

/** Read the progress of earlier attempts; of a digest that was settled twice the later counts. */
export async function readSettled(
  survey: Survey,
  lines: AsyncIterable<ProgressLine>,
): Promise<SettledDigests> {
  const settled = new Map<number, Settled>();
  for await (const line of lines) {
    if (!('at' in line)) continue;
    const { size, at, keep } = line;
    settled.set(survey.blobs.digests.number(line.blob), { size, at, keep });
  }
  return settled;
}

/** The moves of a run that began, as its journal has them, on what is stored now. */
export async function* resumedMoves(
  survey: Survey,
  lines: AsyncIterable<FormerLine>,
  settled: SettledDigests,
): AsyncGenerator<Move> {
  for await (const line of lines) {
    if (!('blob' in line) || line.to.length === 0) continue;
    const before = new Set(line.content.map(([directory]) => directory));
    const number = survey.blobs.digests.number(line.blob);
    yield {
      digest: line.blob,
      copies: survey.blobs.copies(number),
      content: line.to,
      placeholders: [],
      absent: line.remove,
      ours: new Set(line.to.filter((directory) => !before.has(directory))),
      ...withSettled(settled, number),
    };
  }
}

/** The part of a {@link Move} that says what was verified before. */
export function withSettled(settled: SettledDigests, number: number): Pick<Move, 'settled'> {
  const known = settled.get(number);
  return known === undefined ? {} : { settled: known };
}
