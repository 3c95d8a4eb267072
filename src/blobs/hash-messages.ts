/** What a hash thread is started with. */
export interface HashThreadData {
  readonly memory: SharedArrayBuffer;
  /** Of the pins. */
  readonly secret: Uint8Array;
}

/** To a hash thread; each is done in its order, and `update` and `digest` are answered. */
export type HashRequest =
  | { readonly kind: 'start'; readonly hash: number; readonly algorithm: string }
  | {
      readonly kind: 'update';
      readonly hash: number;
      /** Where in the memory, in bytes. */
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: 'digest'; readonly hash: number }
  | { readonly kind: 'end'; readonly hash: number };

/** From a hash thread. */
export type HashAnswer =
  | { readonly kind: 'update'; readonly hash: number; readonly pins: Uint8Array }
  | { readonly kind: 'digest'; readonly hash: number; readonly digest: string };
