import { BLOBSTORE, STORAGE } from '../../registry/zot/blob-roots.js';
import type { Survey } from '../survey/survey.js';
import type { Move } from './move.js';

/**
 * The moves that bring every blob of a registry into the one directory of the shared layout, from
 * whatever state it is in. Blobs in directories that are no repositories are used where they have
 * the only bytes, and left where they are: nobody can tell whose they are.
 */
export function* movesToShared(survey: Survey): Generator<Move> {
  const movable = new Set([...survey.repositories, BLOBSTORE]);
  const { blobs } = survey;
  for (let number = 0; number < blobs.digests.size; number += 1) {
    const copies = blobs.copies(number);
    if (copies.length === 0) continue;
    const absent = copies
      .map(({ directory }) => directory)
      .filter((directory) => directory !== STORAGE && movable.has(directory));
    yield {
      digest: blobs.digests.digest(number),
      copies,
      // What lies in strange directories alone is nobody's.
      content: absent.length === 0 ? [] : [STORAGE],
      placeholders: [],
      absent,
    };
  }
}
