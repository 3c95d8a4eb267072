import type { BlobContent } from './content.js';
import type { OpenBlob } from './open-blob.js';

/** For how long a blob is kept open that somebody will probably open, in ms. */
const EXPECTED_MS = 5000;

interface Expected {
  readonly blob: OpenBlob;
  readonly timer: NodeJS.Timeout;
}

/** Blobs whose beginning was fetched before anybody has opened them: open, or it would be stopped. */
export class ExpectedBlobs {
  readonly #expected = new Map<BlobContent, Expected>();
  #isClosed = false;

  /**
   * Keep a blob open until it is dropped, or nobody has come for it.
   * @returns false when it was closed instead: nobody needs to have it fetched
   */
  keep(content: BlobContent, blob: OpenBlob): boolean {
    if (blob.wasVerified || this.#isClosed || this.#expected.has(content)) {
      blob.close();
      return false;
    }
    const timer = setTimeout(() => this.drop(content), EXPECTED_MS).unref();
    this.#expected.set(content, { blob, timer });
    return true;
  }

  /** Somebody has opened it, or nobody shall. */
  drop(content: BlobContent): void {
    const expected = this.#expected.get(content);
    if (!expected) return;
    this.#expected.delete(content);
    clearTimeout(expected.timer);
    expected.blob.close();
  }

  /** Drop all, and keep no more. */
  close(): void {
    this.#isClosed = true;
    for (const content of this.#expected.keys()) this.drop(content);
  }
}
