import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ObjectStore } from '../../store/object-store.js';
import {
  JournalError,
  journalKey,
  parseBegin,
  parseFormer,
  parseProgress,
  segmentName,
  type Begin,
  type FormerLine,
  type ProgressLine,
  type SegmentKind,
} from './format.js';
import type { RunListing } from './journals.js';
import { readWhole } from './read-whole.js';

const decompress = promisify(gunzip);

/** Reads the journal of one run that began. */
export class JournalReader {
  readonly #store: ObjectStore;
  readonly #root: string;
  readonly #signal: AbortSignal | undefined;

  constructor(
    { store, root }: { store: ObjectStore; root: string },
    readonly listing: RunListing,
    signal?: AbortSignal,
  ) {
    this.#store = store;
    this.#root = root;
    this.#signal = signal;
  }

  /** @throws StoreError, JournalError */
  async begin(): Promise<Begin> {
    const name = 'begin.json';
    const begin = parseBegin(String(await this.#read(name)), this.#where(name));
    const found = this.listing.segments.former.length;
    if (found < begin.segments) {
      throw new JournalError(
        `The journal ${this.listing.run} lacks ${begin.segments - found} of its segments: what the ` +
          'run changed cannot be told. Restore them before anything else is done to this bucket.',
      );
    }
    return begin;
  }

  /** The former states, in the order in which they were written. @throws StoreError, JournalError */
  async *former(): AsyncGenerator<FormerLine> {
    for await (const [text, where] of this.#lines('former')) yield parseFormer(text, where);
  }

  /** @throws StoreError, JournalError */
  async *progress(kind: 'progress' | 'rollback'): AsyncGenerator<ProgressLine> {
    for await (const [text, where] of this.#lines(kind)) yield parseProgress(text, where);
  }

  async *#lines(kind: SegmentKind): AsyncGenerator<[text: string, where: string]> {
    for (const number of this.listing.segments[kind]) {
      const name = segmentName(kind, number);
      const where = this.#where(name);
      let text: string;
      try {
        text = String(await decompress(await this.#read(name)));
      } catch (cause) {
        if (cause instanceof Error && 'errno' in cause) {
          throw new JournalError(`The journal ${where} is damaged: it cannot be decompressed.`, {
            cause,
          });
        }
        throw cause;
      }
      for (const line of text.split('\n')) if (line !== '') yield [line, where];
    }
  }

  async #read(name: string): Promise<Buffer> {
    const key = this.#root + journalKey(this.listing.run, name);
    const bytes = await readWhole(this.#store, key, this.#signal);
    if (bytes === undefined) {
      throw new JournalError(`The journal ${this.#where(name)} is not there any more.`);
    }
    return bytes;
  }

  #where(name: string): string {
    return `${journalKey(this.listing.run, name)} in ${this.#store.name}`;
  }
}
