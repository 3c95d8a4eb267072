import { createHash } from 'node:crypto';
import type { Descriptor } from '../oci/descriptor.js';
import type { StoredDocument } from '../registry/registry.js';

/** One version of a repository's `index.json`, byte for byte as stored. */
export interface IndexSnapshot {
  readonly repository: string;
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes: tells versions apart, on every store and across remounts. */
  readonly version: string;
  readonly etag?: string;
  /**
   * Milliseconds since the epoch: the object's time to the second, and milliseconds that differ
   * from one version to the next, so that no cache mistakes two versions for one.
   */
  readonly mtime: number;
  /** Distinct descriptors, stored order. Those of the last good version where this one is broken. */
  readonly descriptors: readonly Descriptor[];
  /** Why the bytes are not a valid image index, when they are not. */
  readonly problem?: string;
}

let versionsSeen = 0;

/** Make a snapshot of a stored document. */
export function makeSnapshot(
  repository: string,
  document: StoredDocument,
  parsed: { descriptors: readonly Descriptor[]; problem?: string },
): IndexSnapshot {
  const { etag, lastModified = 0 } = document.info;
  const seconds = Math.floor(lastModified / 1000);
  return {
    repository,
    bytes: document.bytes,
    version: createHash('sha256').update(document.bytes).digest('hex'),
    mtime: seconds * 1000 + (versionsSeen++ % 1000),
    descriptors: distinct(parsed.descriptors),
    ...(etag !== undefined && { etag }),
    ...(parsed.problem !== undefined && { problem: parsed.problem }),
  };
}

/** One descriptor for each (digest, size): many tags of one image need to be followed once. */
function distinct(descriptors: readonly Descriptor[]): Descriptor[] {
  const byName = new Map<string, Descriptor>();
  for (const { digest, size, mediaType, foreign } of descriptors) {
    const name = `${digest}/${size}/${mediaType}`;
    if (!byName.has(name)) {
      byName.set(name, { digest, size, mediaType, ...(foreign && { foreign }) });
    }
  }
  return [...byName.values()];
}

/** Descriptors of `before` that `after` no longer has. */
export function removedDescriptors(before: IndexSnapshot, after: IndexSnapshot): Descriptor[] {
  const kept = new Set(after.descriptors.map(({ digest, size }) => `${digest}/${size}`));
  return before.descriptors.filter(({ digest, size }) => !kept.has(`${digest}/${size}`));
}
