import { STORAGE } from '../../registry/zot/blob-roots.js';
import type { FormerBlob } from '../journal/format.js';
import type { Survey } from '../survey/survey.js';
import type { Move } from './move.js';
import { withSettled, type SettledDigests } from './resumed.js';
import type { References } from './to-repositories.js';

export interface ToFormer {
  readonly survey: Survey;
  /** The lines of the run's journal. */
  readonly lines: () => AsyncIterable<FormerBlob>;
  /** What the run verified, and which objects it left alone. */
  readonly verified: SettledDigests;
  /** What earlier attempts at this rollback verified. */
  readonly settled: SettledDigests;
  /** Who refers to what, of the repositories whose `index.json` changed since. */
  readonly references: References;
  /** The run made the shared layout: what came since lies there alone. */
  readonly wasToShared: boolean;
}

/**
 * The moves that return every object which a run changed to what it was, and give what was pushed
 * since to the repositories that refer to it.
 * @param onGone told of digests that nobody has and nobody wants any more
 */
export async function* movesToFormer(
  options: ToFormer,
  onGone: () => void = () => undefined,
): AsyncGenerator<Move> {
  const { survey, references, wasToShared } = options;
  const { blobs } = survey;
  const journaled = new Uint8Array(blobs.digests.size);
  for await (const line of options.lines()) {
    const number = blobs.digests.number(line.blob);
    if (number < journaled.length) journaled[number] = 1;
    const move = toFormer(line, number, options);
    const isGone = line.content.length > 0 && !move.copies.some(({ placeholder }) => !placeholder);
    if (isGone && references.of(number).length === 0) onGone();
    else yield move;
  }
  if (!wasToShared) return;
  for (let number = 0; number < journaled.length; number += 1) {
    if (journaled[number] === 1) continue;
    const copies = blobs.copies(number);
    if (!copies.some(({ directory }) => directory === STORAGE)) continue;
    const content = references.of(number);
    yield {
      digest: blobs.digests.digest(number),
      copies,
      content,
      placeholders: [],
      // What nobody refers to might be an image that is just being pushed.
      absent: content.length === 0 ? [] : [STORAGE],
      ...withSettled(options.settled, number),
    };
  }
}

function toFormer(
  line: FormerBlob,
  number: number,
  { survey, references, verified, settled }: ToFormer,
): Move {
  const left = new Set(verified.get(number)?.keep);
  const before = line.content.map(([directory]) => directory);
  const had = new Set([...before, ...line.placeholders]);
  const returned = before.filter((directory) => !left.has(directory));
  // Where a shared directory had it before, those who refer to it found it there.
  const isShared = line.to.length === 0;
  const wanted = isShared ? [] : references.of(number).filter((directory) => !had.has(directory));
  const made = line.to.filter((directory) => !had.has(directory) && !wanted.includes(directory));
  return {
    digest: line.blob,
    copies: survey.blobs.copies(number),
    content: [...returned, ...wanted],
    placeholders: line.placeholders,
    absent: made,
    // Before its content was verified nothing of it was deleted, so what is there is not ours.
    ours: new Set([...(verified.has(number) ? line.remove : []), ...wanted, ...made]),
    ...withSettled(settled, number),
  };
}
