import type { BlobCopy } from '../survey/blob-table.js';
import { copyIn, sameBytes, type Move } from './move.js';

/** What a move takes, as far as a listing can tell. */
export interface Steps {
  /** Content that is where it shall be, and must be read to be believed. */
  readonly readInPlace: readonly BlobCopy[];
  /** Directories that lack the content. */
  readonly copyTo: readonly string[];
  /** Where the content may come from, best first; empty: it is nowhere. */
  readonly sources: readonly BlobCopy[];
  /** Content that will go, and must be read first, as no other copy is known to be the same. */
  readonly readBeforeLoss: readonly BlobCopy[];
  /** An earlier attempt has verified all there is to verify, and its result still stands. */
  readonly isSettled: boolean;
  /** Directories where a placeholder must be written. */
  readonly putPlaceholders: readonly string[];
  /** Directories whose object must be deleted. */
  readonly remove: readonly string[];
}

/** Whether nothing needs to be done, not even read. */
export function isIdle({ copyTo, putPlaceholders, remove }: Steps): boolean {
  return copyTo.length === 0 && putPlaceholders.length === 0 && remove.length === 0;
}

/**
 * The steps of a move. Of a digest that was settled before only what came after is left to do.
 */
export function stepsOf(move: Move): Steps {
  const { copies, content, placeholders, absent, ours, settled } = move;
  const keep = new Set(settled?.keep);
  const trusted = (copy: BlobCopy): boolean =>
    settled?.size === copy.size &&
    settled.at.some(
      ([directory, etag]) =>
        directory === copy.directory && (etag === undefined || etag === copy.etag),
    );
  const contents = copies.filter((copy) => !copy.placeholder && !keep.has(copy.directory));
  const inPlace = contents.filter(({ directory }) => content.includes(directory));
  const elsewhere = contents.filter(({ directory }) => !content.includes(directory));
  const copyTo = content.filter(
    (directory) => !keep.has(directory) && copyIn(copies, directory)?.placeholder !== false,
  );
  const putPlaceholders = placeholders.filter(
    (directory) => !keep.has(directory) && copyIn(copies, directory)?.placeholder !== true,
  );
  const remove = absent.filter(
    (directory) => !keep.has(directory) && copyIn(copies, directory) !== undefined,
  );
  const lost = elsewhere.filter(
    ({ directory }) =>
      (absent.includes(directory) || placeholders.includes(directory)) &&
      ours?.has(directory) !== true,
  );
  // What is copied and then found right needs no reading of its own, and neither does its like.
  const known = inPlace.length > 0 ? inPlace : elsewhere.slice(0, 1);
  const isSettled = inPlace.some(trusted);
  return {
    readInPlace: inPlace.filter((copy) => !trusted(copy)),
    copyTo,
    sources: [...inPlace, ...elsewhere],
    readBeforeLoss: isSettled
      ? []
      : lost.filter((copy) => !known.some((one) => one === copy || sameBytes(one, copy))),
    isSettled,
    putPlaceholders,
    remove,
  };
}
