import type { BlobContent, VerifyMode } from './content.js';
import type { CachedBlob } from './disk-cache.js';
import { whileItGetsOn, withinDeadline } from './deadline.js';
import { FIRST_SIZE } from './grid.js';
import type { Stream } from './stream.js';
import { Streams } from './stream.js';

export interface OpenBlobOptions {
  /** Longest wait of one read, in ms. */
  readonly deadlineMs: number;
  readonly verify: VerifyMode;
  /** A reader that read on and on does so no longer. */
  readonly streamEnded: (stream: Stream) => void;
  /**
   * Once: who reads a blob of more than {@link FIRST_SIZE} bytes from its beginning has all of it, or
   * it is on its way.
   */
  readonly endInSight?: (() => void) | undefined;
  readonly closed: () => void;
}

/** A blob opened by one reader. */
export class OpenBlob {
  /** The content was verified before this handle was opened. */
  readonly wasVerified: boolean;
  /**
   * A plain file with exactly the blob's bytes, which were verified: open until this handle and all
   * others of the blob are closed.
   */
  readonly backing: Pick<CachedBlob, 'fd' | 'changedAt'> | undefined;
  readonly #content: BlobContent;
  readonly #repository: string;
  readonly #options: OpenBlobOptions;
  readonly #generation: number;
  readonly #streams: Streams;
  #closed = false;
  #isEndInSight = false;

  constructor(content: BlobContent, repository: string, options: OpenBlobOptions) {
    this.#content = content;
    this.#repository = repository;
    this.#options = options;
    this.#streams = new Streams(options.streamEnded);
    this.wasVerified = content.verified;
    const { onDisk } = content;
    this.backing = onDisk && { fd: onDisk.fd, changedAt: onDisk.changedAt };
    this.#generation = content.opened();
  }

  /**
   * The bytes of the range that lie within the blob; empty at and after its end. They may lie in
   * memory that is used again from the event loop's next turn on: who keeps them copies them.
   * @throws BlobError
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#content.assertGood(this.#generation);
    const end = Math.min(offset + length, this.#content.size);
    if (offset >= end) return new Uint8Array();
    const stream = this.#streams.read(offset, end, performance.now());
    const { verify } = this.#options;
    const reading = { repository: this.#repository, generation: this.#generation, stream, verify };
    const delivery = this.#content.deliver(reading, offset, end);
    const bytes = await this.#inTime(delivery);
    stream.delivered(bytes.byteLength, performance.now());
    this.#lookAhead(stream, end);
    return bytes;
  }

  /** Close once; answers whether all bytes read through this handle are known to be right. */
  close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.#streams.end();
    const right = this.#content.closed(this.#generation);
    this.#options.closed();
    return right && (this.wasVerified || this.#options.verify !== 'off');
  }

  #lookAhead(stream: Stream, end: number): void {
    // Of a small one little is known of its reader, who may want nothing else.
    if (this.#isEndInSight || !stream.isFromStart || this.#content.size <= FIRST_SIZE) return;
    if (Math.max(end, stream.planned) < this.#content.size) return;
    this.#isEndInSight = true;
    this.#options.endInSight?.();
  }

  /** Who waits for a whole blob to be hashed may wait longer, as long as that gets on. */
  #inTime(delivery: Promise<Uint8Array>): Promise<Uint8Array> {
    const { deadlineMs, verify } = this.#options;
    const what = `Reading ${this.#content.digest}`;
    if (verify !== 'full') return withinDeadline(delivery, deadlineMs, what);
    return whileItGetsOn(delivery, deadlineMs, what, () => this.#content.hashed);
  }
}
