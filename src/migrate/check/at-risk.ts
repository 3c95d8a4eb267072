import { compareBytes } from '../../registry/inventory/inventory.js';
import type { BlobCopy } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';
import type { BlobPlaces } from './blob-places.js';
import type { AtRiskBlob } from './report.js';

/** Where a digest at risk has its first placeholder and its first bytes. */
export interface Risk {
  readonly placeholder: BlobCopy;
  readonly content: BlobCopy;
}

/**
 * Whether a restart of a deduplicating zot would empty every copy of a digest, given its objects in
 * bytewise order of their keys. Its rebuild takes the first object with bytes for the original and
 * links every later one to it; where a placeholder came first, it links the original to itself,
 * which overwrites it with zero bytes (seen with zot 6d19b445; see docs/check.md). Blobs that are
 * kept for all repositories together are not part of that.
 */
export function riskOf(copies: readonly BlobCopy[], places: BlobPlaces): Risk | undefined {
  if (copies.some(({ directory, placeholder }) => !placeholder && places.isShared(directory))) {
    return undefined;
  }
  const own = copies.filter(({ directory }) => !places.isShared(directory));
  const [first] = own;
  const content = own.find(({ placeholder }) => !placeholder);
  if (first === undefined || content === undefined || !first.placeholder) return undefined;
  return { placeholder: first, content };
}

/** Every digest at risk among those for which `isOfInterest` holds, sorted. */
export function findAtRisk(
  { blobs, root }: Survey,
  places: BlobPlaces,
  isOfInterest: (number: number) => boolean,
): AtRiskBlob[] {
  const found: AtRiskBlob[] = [];
  for (let number = 0; number < blobs.digests.size; number += 1) {
    if (!isOfInterest(number)) continue;
    const copies = blobs.copies(number);
    const risk = riskOf(copies, places);
    if (risk === undefined) continue;
    found.push({
      digest: blobs.digests.digest(number),
      size: risk.content.size,
      placeholder: root + risk.placeholder.key,
      content: root + risk.content.key,
      repositories: copies.map(({ directory }) => directory).sort(compareBytes),
    });
  }
  return found.sort((a, b) => compareBytes(a.digest, b.digest));
}
