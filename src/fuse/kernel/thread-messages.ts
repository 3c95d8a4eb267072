/** What a serving thread is started with. */
export interface ThreadData {
  /** The open /dev/fuse, shared by all threads of the process. */
  readonly fd: number;
  /** One number: not 0 when threads shall not wait for the mount any more. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** What a serving thread says to the main thread. */
export type ThreadMessage =
  /** A request that the tree must answer, as it came from the kernel. */
  | { readonly kind: 'request'; readonly bytes: Uint8Array }
  /** One that is not what the protocol says; it was answered EIO if it could be. */
  | { readonly kind: 'malformed'; readonly reason: string };
