import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from '../../src/store/errors.js';
import type {
  GetOptions,
  GetResult,
  ListPage,
  ObjectInfo,
  ObjectStore,
} from '../../src/store/object-store.js';
import { readBodyInto } from '../../src/store/read-into.js';

/** What goes wrong with one GET. */
export type FlakyFault =
  | { readonly kind: 'refused'; readonly code: 'Unavailable' | 'Unreachable' | 'Timeout' }
  /** The connection breaks after so many bytes, or the body just ends there. */
  | { readonly kind: 'broken' | 'short'; readonly after: number }
  /** More bytes come than the head said. */
  | { readonly kind: 'long' }
  /** The answer begins earlier than it was asked to, and ends later. */
  | { readonly kind: 'wide' }
  /** From now on the object has another ETag, and the same bytes. */
  | { readonly kind: 'retagged' }
  /** One bit of the answer is another one. */
  | { readonly kind: 'flipped'; readonly at: number };

/** One object in memory, served in pieces as a network would, with faults from a script. */
export class FlakyStore implements ObjectStore {
  readonly name = 'flaky://store';
  readonly capabilities = { conditionalGet: true, serverSideCopy: false };
  /** Ranges asked for, of GETs that were not refused. */
  readonly gets: { readonly offset: number; readonly length: number }[] = [];
  /** The fault of each GET to come; none after the last. */
  faults: (FlakyFault | undefined)[] = [];
  readonly #key: string;
  readonly #bytes: Buffer;
  readonly #chunk: number;
  #version = 1;

  /** @param chunk bytes that come at a time */
  constructor(key: string, bytes: Buffer, chunk: number) {
    this.#key = key;
    this.#bytes = bytes;
    this.#chunk = chunk;
  }

  list(): Promise<ListPage> {
    return Promise.resolve({ objects: [this.#info()], prefixes: [] });
  }

  head(): Promise<ObjectInfo> {
    return Promise.resolve(this.#info());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    if (key !== this.#key) throw new StoreError('NotFound', `There is no ${key}.`);
    const fault = this.faults.shift();
    await nextTurn();
    if (fault?.kind === 'refused') throw new StoreError(fault.code, 'The store is not well.');
    if (fault?.kind === 'retagged') this.#version++;
    if (options.ifMatch !== undefined && options.ifMatch !== this.#info().etag) {
      throw new StoreError('PreconditionFailed', 'It has another ETag.');
    }
    const { offset = 0, length = this.#bytes.length } = options.range ?? {};
    this.gets.push({ offset, length });
    const from = fault?.kind === 'wide' ? Math.max(0, offset - 1000) : offset;
    const to = Math.min(this.#bytes.length, offset + length + (fault?.kind === 'wide' ? 1000 : 0));
    const cancelled = { yes: false };
    const body = this.#body(
      from,
      to,
      fault,
      () => cancelled.yes || options.signal?.aborted === true,
    );
    return {
      info: this.#info(),
      offset: from,
      length: to - from,
      body,
      readInto: (target, arrived) => readBodyInto(body, target, arrived),
      cancel: () => (cancelled.yes = true),
    };
  }

  async *#body(
    from: number,
    to: number,
    fault: FlakyFault | undefined,
    isCancelled: () => boolean,
  ): AsyncGenerator<Uint8Array> {
    const end = fault?.kind === 'long' ? to + 10 : to;
    for (let at = from; at < end; at += this.#chunk) {
      if (at % 5 === 0) await sleep(0);
      else await nextTurn();
      if (isCancelled()) throw new StoreError('Aborted', 'It was cancelled.');
      const sent = at - from;
      if ((fault?.kind === 'broken' || fault?.kind === 'short') && sent >= fault.after) {
        if (fault.kind === 'short') return;
        throw new StoreError('Interrupted', 'The connection broke.');
      }
      const chunk = Buffer.alloc(Math.min(this.#chunk, end - at));
      this.#bytes.copy(chunk, 0, at, at + chunk.length);
      const flip = fault?.kind === 'flipped' ? from + (fault.at % (to - from)) - at : -1;
      if (flip >= 0 && flip < chunk.length) chunk.writeUInt8(chunk.readUInt8(flip) ^ 4, flip);
      yield chunk;
    }
  }

  #info(): ObjectInfo {
    return { key: this.#key, size: this.#bytes.length, etag: `"${this.#version}"` };
  }
}
