import type { KnownNames } from './known-names.js';
import type { RequestCounts } from './request-counts.js';

/** What a serving thread is started with. */
export interface ThreadData {
  /** The open /dev/fuse, shared by all threads of the process. */
  readonly fd: number;
  /** One number: not 0 when threads shall not wait for the mount any more. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  /** One number that grows with each {@link ThreadNews}, for a thread to see that there is some. */
  readonly news: Int32Array<SharedArrayBuffer>;
  /** What the thread has told the kernel, see `ToldRing`. */
  readonly told: Int32Array<SharedArrayBuffer>;
  /** What the thread has read from the kernel. */
  readonly counts: RequestCounts;
  /** Files that the thread may open by itself, see `OpenSlots`. */
  readonly opens: Int32Array<SharedArrayBuffer>;
}

/** What the main thread says to a serving thread. */
export type ThreadNews =
  | { readonly kind: 'names'; readonly known: KnownNames }
  /** Answer nothing in this directory any more. */
  | { readonly kind: 'noNames'; readonly parent: number };

/** What a serving thread says to the main thread. */
export type ThreadMessage =
  /** A request that the tree must answer, as it came from the kernel. */
  | { readonly kind: 'request'; readonly bytes: Uint8Array }
  /** The ring of what was told the kernel fills up. */
  | { readonly kind: 'told' }
  /** One that is not what the protocol says; it was answered EIO if it could be. */
  | { readonly kind: 'malformed'; readonly reason: string }
  /** One that the thread could not serve by its own fault; it was answered EIO. */
  | { readonly kind: 'failed'; readonly reason: string };
