import { channel } from 'node:diagnostics_channel';

/**
 * Events for whoever embeds or tests layoutfs, published on `node:diagnostics_channel`. Nothing is
 * formatted unless somebody subscribed.
 */

/** The stored bytes of a blob do not hash to its name. Message: {@link BlobEvent}. */
export const blobMismatch = channel('layoutfs:blob.mismatch');

/** No stored object has the bytes of a referenced digest. Message: {@link BlobEvent}. */
export const blobLost = channel('layoutfs:blob.lost');

export interface BlobEvent {
  readonly repository: string;
  readonly digest: string;
  /** Claimed size in bytes. */
  readonly size: number;
}
