import { BLOB_ROOTS } from '../../registry/zot/blob-roots.js';
import type { FormerBlob, FormerLine } from '../journal/format.js';
import type { Survey } from '../survey/survey.js';
import type { Move } from './move.js';
import { isIdle, stepsOf } from './steps.js';

/**
 * What a journal must say about the state before the run: the objects of every digest that the run
 * moves; which digests shared directories have without being touched, so that those that come later
 * can be told from them; and the versions of all `index.json`.
 */
export function* formerLines(survey: Survey, moves: Iterable<Move>): Generator<FormerLine> {
  for (const repository of survey.repositories) {
    const etag = survey.directories.get(repository)?.index?.etag;
    yield { index: repository, ...(etag !== undefined && { etag }) };
  }
  for (const move of moves) {
    if (!isIdle(stepsOf(move))) yield lineOf(move);
    else if (move.copies.some(({ directory }) => BLOB_ROOTS.includes(directory))) {
      yield lineOf({ ...move, content: [], absent: [] });
    }
  }
}

function lineOf({ digest, copies, content, absent }: Move): FormerBlob {
  return {
    blob: digest,
    content: copies
      .filter(({ placeholder }) => !placeholder)
      .map(({ directory, size }) => [directory, size]),
    placeholders: copies.filter(({ placeholder }) => placeholder).map(({ directory }) => directory),
    to: [...content],
    remove: copies
      .map(({ directory }) => directory)
      .filter((directory) => absent.includes(directory)),
  };
}
