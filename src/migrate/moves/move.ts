import type { Digest } from '../../oci/digest.js';
import type { BlobCopy } from '../survey/blob-table.js';

/**
 * What is to become of the objects of one digest. Directories stand for keys: the object of the
 * digest in their `blobs`. What is named nowhere stays as it is.
 */
export interface Move {
  readonly digest: Digest;
  /** What is stored now, in bytewise order of the keys. */
  readonly copies: readonly BlobCopy[];
  /** Directories that shall hold the bytes. */
  readonly content: readonly string[];
  /** Directories that shall hold a zero-byte placeholder. */
  readonly placeholders: readonly string[];
  /** Directories that shall hold nothing. */
  readonly absent: readonly string[];
  /** Directories whose object an earlier attempt at this move may have written: it may be replaced. */
  readonly ours?: ReadonlySet<string>;
  /** What an earlier attempt found out and wrote down before it deleted anything. */
  readonly settled?: Settled;
}

/** What was found out about a digest before anything of it is deleted. */
export interface Settled {
  /** Length of the content, in bytes. */
  readonly size: number;
  /** Directories with verified content, and their objects' ETags where these are known. */
  readonly at: readonly (readonly [directory: string, etag?: string])[];
  /**
   * Directories whose object is not the content that its name says: it is left alone, since nothing
   * could bring it back.
   */
  readonly keep: readonly string[];
}

/** The copy in `directory`, if there is one. */
export function copyIn(copies: readonly BlobCopy[], directory: string): BlobCopy | undefined {
  return copies.find((copy) => copy.directory === directory);
}

/** An MD5, with or without the number of parts: made of the bytes, so that equal ones mean equal bytes. */
const MADE_OF_BYTES = /^"[0-9a-f]{32}(?:-\d+)?"$/;

/** Whether a listing alone shows that two objects of one store have the same bytes. */
export function sameBytes(
  a: Pick<BlobCopy, 'size' | 'etag'>,
  b: Pick<BlobCopy, 'size' | 'etag'>,
): boolean {
  return (
    a.size === b.size && a.etag !== undefined && a.etag === b.etag && MADE_OF_BYTES.test(a.etag)
  );
}
