import { digestParts, type Digest } from '../../oci/digest.js';
import { copyRequests, type WritingCapabilities } from '../../store/object-store.js';
import type { Steps } from '../moves/steps.js';
import type { Requests } from './requests.js';
import { sum } from './requests.js';

/** Whether the store's own checksum of a copy proves that it is `digest`. */
export function provesCopies(
  { copyChecksum, largestCopy }: WritingCapabilities,
  digest: Digest,
  size: number,
): boolean {
  return copyChecksum && size <= largestCopy && digestParts(digest).algorithm === 'sha256';
}

/**
 * The requests that settling a move takes when every object is what its name says; deletions, which
 * are made for many moves together, and journals are not among them.
 */
export function forecast(
  digest: Digest,
  steps: Steps,
  capabilities: WritingCapabilities,
): Requests {
  const { readInPlace, copyTo, readBeforeLoss, putPlaceholders, sources } = steps;
  const size = sources[0]?.size ?? 0;
  const reads = [...readInPlace, ...readBeforeLoss.filter((copy) => copy.size === size)];
  const readBack = provesCopies(capabilities, digest, size) ? 0 : copyTo.length;
  return sum({
    put: copyTo.length * copyRequests(capabilities, size) + putPlaceholders.length,
    get: reads.length + readBack,
    bytesRead: reads.reduce((bytes, copy) => bytes + copy.size, 0) + readBack * size,
  });
}
