import type { Digest } from '../../oci/digest.js';
import { compareBytes } from '../../registry/inventory/inventory.js';
import type { BlobCopy } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';

/** A digest that no index reaches, and all its objects: placeholders first. */
export interface GarbageDigest {
  readonly digest: Digest;
  readonly copies: readonly BlobCopy[];
}

/** What of a root is garbage, and what looks like it and stays. */
export interface Garbage {
  readonly digests: readonly GarbageDigest[];
  /** Objects of digests that are stored in directories without an index, too. */
  readonly incomplete: number;
}

/**
 * Every digest of a survey that nothing reaches. A digest that any index reaches keeps all its
 * objects, wherever they are: one of them may be the only one with bytes, and placeholders in other
 * repositories stand for it.
 */
export function findGarbage(survey: Survey, isReached: (digest: Digest) => boolean): Garbage {
  const { blobs, directories } = survey;
  const withoutIndex = new Set(
    survey.incomplete.filter((path) => directories.get(path)?.index === undefined),
  );
  const digests: GarbageDigest[] = [];
  let incomplete = 0;
  for (let number = 0; number < blobs.digests.size; number += 1) {
    const digest = blobs.digests.digest(number);
    if (isReached(digest)) continue;
    const copies = blobs.copies(number);
    if (copies.length === 0) continue;
    // Somebody may have lost an index.json, and then these are all that is left of a repository.
    if (copies.some(({ directory }) => withoutIndex.has(directory))) incomplete += copies.length;
    else digests.push({ digest, copies: inOrder(copies) });
  }
  digests.sort((a, b) => compareBytes(a.digest, b.digest));
  return { digests, incomplete };
}

/** At no moment placeholders without bytes, also for one who is cut off in the middle. */
function inOrder(copies: readonly BlobCopy[]): BlobCopy[] {
  return [
    ...copies.filter(({ placeholder }) => placeholder),
    ...copies.filter(({ placeholder }) => !placeholder),
  ];
}
