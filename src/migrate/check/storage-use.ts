import { compareBytes } from '../../registry/inventory/inventory.js';
import type { BlobCopy } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';
import type { DuplicatedBlob, Duplicates, Unreferenced } from './report.js';

/** Every object of the digests that no index reaches, and how many are in `directories`. */
export function findUnreferenced(
  { blobs, root }: Survey,
  isReferenced: (number: number) => boolean,
  directories: ReadonlySet<string>,
): { readonly found: Unreferenced; readonly within: number } {
  const list: Unreferenced['list'][number][] = [];
  let digests = 0;
  let bytes = 0;
  let within = 0;
  for (let number = 0; number < blobs.digests.size; number += 1) {
    if (isReferenced(number)) continue;
    const copies = blobs.copies(number);
    if (copies.length > 0) digests += 1;
    for (const { directory, key, size } of copies) {
      bytes += size;
      if (directories.has(directory)) within += 1;
      list.push({ digest: blobs.digests.digest(number), key: root + key, size });
    }
  }
  list.sort((a, b) => compareBytes(a.key, b.key));
  return { found: { digests, objects: list.length, bytes, list }, within };
}

/** Digests of which more than one object holds bytes. */
export function findDuplicates(
  { blobs, root, store }: Survey,
  isOfInterest: (number: number) => boolean,
): Duplicates {
  const list: DuplicatedBlob[] = [];
  let objects = 0;
  let wastedBytes = 0;
  for (let number = 0; number < blobs.digests.size; number += 1) {
    if (!isOfInterest(number)) continue;
    const contents = blobs.copies(number).filter(({ size }) => size > 0);
    if (contents.length < 2) continue;
    const stored = store.capabilities.linkedObjects === true ? distinctFiles(contents) : contents;
    const [first, ...others] = stored;
    if (first === undefined || others.length === 0) continue;
    objects += others.length;
    wastedBytes += others.reduce((sum, { size }) => sum + size, 0);
    list.push({
      digest: blobs.digests.digest(number),
      size: first.size,
      keys: stored.map(({ key }) => root + key),
    });
  }
  list.sort((a, b) => compareBytes(a.digest, b.digest));
  return { digests: list.length, objects, wastedBytes, list };
}

/** One copy for each file: hard links share its ETag, and take no further space. */
export function distinctFiles(copies: readonly BlobCopy[]): BlobCopy[] {
  const seen = new Set<string>();
  return copies.filter(({ key, etag = key }) => {
    if (seen.has(etag)) return false;
    seen.add(etag);
    return true;
  });
}
