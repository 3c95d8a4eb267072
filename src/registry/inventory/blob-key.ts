import { isValidAlgorithm, isValidEncoded, type Digest } from '../../oci/digest.js';

/** `blobs/<algorithm>/<encoded>` below some directory. */
export interface BlobKey {
  /** Path of the directory that has the `blobs`, relative to the root; empty for the root. */
  readonly directory: string;
  readonly digest: Digest;
}

const TAIL = /(?:^|\/)blobs\/([^/]+)\/([^/]+)$/;

/** What blob the key `relative` (to the root) is, or undefined when it is none. */
export function parseBlobKey(relative: string): BlobKey | undefined {
  const match = TAIL.exec(relative);
  const [, algorithm, encoded] = match ?? [];
  if (match === null || algorithm === undefined || encoded === undefined) return undefined;
  if (!isValidAlgorithm(algorithm) || !isValidEncoded(algorithm, encoded)) return undefined;
  return {
    directory: relative.slice(0, match.index),
    digest: `${algorithm}:${encoded}` as Digest,
  };
}

/** The key, relative to the root, of `digest` in the `blobs` of `directory`. */
export function blobKey(directory: string, digest: Digest): string {
  const path = `blobs/${digest.replace(':', '/')}`;
  return directory === '' ? path : `${directory}/${path}`;
}
