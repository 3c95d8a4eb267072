import type { BlobContent } from './content.js';
import { withinDeadline } from './deadline.js';
import { PART_SIZE, partCount } from './parts.js';

export interface OpenBlobOptions {
  /** Longest wait of one read, in ms. */
  readonly deadlineMs: number;
  /** Fetch a part that will be wanted soon. */
  readonly prefetch: (index: number) => void;
  readonly closed: () => void;
}

/** A blob opened by one reader. */
export class OpenBlob {
  /** The content was verified before this handle was opened. */
  readonly wasVerified: boolean;
  readonly #content: BlobContent;
  readonly #repository: string;
  readonly #options: OpenBlobOptions;
  readonly #generation: number;
  #nextOffset = 0;
  #closed = false;

  constructor(content: BlobContent, repository: string, options: OpenBlobOptions) {
    this.#content = content;
    this.#repository = repository;
    this.#options = options;
    this.wasVerified = content.verified;
    this.#generation = content.opened();
  }

  /**
   * The bytes of the range that lie within the blob; empty at and after its end.
   * @throws BlobError
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#content.assertGood(this.#generation);
    const end = Math.min(offset + length, this.#content.size);
    if (offset >= end) return new Uint8Array();
    const delivery = this.#content.deliver(this.#repository, this.#generation, offset, end);
    this.#readAhead(offset, end);
    return withinDeadline(delivery, this.#options.deadlineMs, `Reading ${this.#content.digest}`);
  }

  /** Close once; answers whether all bytes read through this handle are known to be right. */
  close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    const right = this.#content.closed(this.#generation);
    this.#options.closed();
    return right;
  }

  /** A sequential reader gets the next part ahead of time. */
  #readAhead(offset: number, end: number): void {
    const sequential = offset === this.#nextOffset;
    this.#nextOffset = end;
    const next = Math.floor((end - 1) / PART_SIZE) + 1;
    if (sequential && offset > 0 && next < partCount(this.#content.size)) {
      this.#options.prefetch(next);
    }
  }
}
