/**
 * The bytes that wait to be written to the local disk, of all blobs: one limit, so that a slow disk
 * takes a bounded part of the memory, whatever the number of readers.
 */
export class Backlog {
  readonly #maxBytes: number;
  #bytes = 0;
  #skippedBytes = 0;
  /** Who was refused, and is to try again when there is room. */
  readonly #refused = new Set<() => void>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that wait, or would if there was room. */
  get bytes(): number {
    return this.#bytes + this.#skippedBytes;
  }

  /**
   * Let `bytes` wait; false if too many do. Then `retry` is called once when there may be room.
   */
  enter(bytes: number, retry: () => void): boolean {
    // One part is let in whatever its length, or a small limit would keep it out for ever.
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) {
      this.#refused.add(retry);
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  /** So many bytes are written, or need not be. */
  leave(bytes: number): void {
    this.#bytes -= bytes;
    const refused = [...this.#refused];
    this.#refused.clear();
    for (const retry of refused) retry();
  }

  /** So many bytes found no room, or (negative) are no longer to find any. */
  skip(bytes: number): void {
    this.#skippedBytes += bytes;
  }

  /** Nobody shall be told any more. */
  forget(retry: () => void): void {
    this.#refused.delete(retry);
  }
}
