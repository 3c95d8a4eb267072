import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isStoreError, StoreError } from '../../store/errors.js';
import type { WritableObjectStore } from '../../store/object-store.js';
import {
  journalKey,
  segmentName,
  type Begin,
  type End,
  type FormerLine,
  type ProgressLine,
  type SegmentKind,
} from './format.js';
import { readWhole } from './read-whole.js';

const compress = promisify(gzip);

/** Lines of one `former` segment. */
export const LINES_PER_SEGMENT = 5000;

export interface JournalPlace {
  readonly store: WritableObjectStore;
  /** Key prefix of the registry's root. */
  readonly root: string;
  readonly run: string;
  readonly signal?: AbortSignal | undefined;
}

/** Writes the journal of one run; every object once. */
export class JournalWriter {
  readonly #place: JournalPlace;
  #lines: FormerLine[] = [];
  #former = 0;
  #written: Record<'progress' | 'rollback', number>;

  /** @param written the highest number of the segments that are there already */
  constructor(place: JournalPlace, written: Partial<Record<'progress' | 'rollback', number>> = {}) {
    this.#place = place;
    this.#written = { progress: 0, rollback: 0, ...written };
  }

  /** @throws StoreError */
  async former(line: FormerLine): Promise<void> {
    this.#lines.push(line);
    if (this.#lines.length === LINES_PER_SEGMENT) await this.#flush();
  }

  /** From now on the run may change things. @throws StoreError */
  async begin(begin: Omit<Begin, 'run' | 'segments'>): Promise<void> {
    if (this.#lines.length > 0) await this.#flush();
    const { run } = this.#place;
    await this.#write('begin.json', json({ ...begin, run, segments: this.#former }));
  }

  /** @throws StoreError */
  async progress(kind: 'progress' | 'rollback', lines: readonly ProgressLine[]): Promise<void> {
    this.#written[kind] += 1;
    await this.#segment(kind, this.#written[kind], lines);
  }

  /** @throws StoreError */
  async end(name: 'end.json' | 'rolled-back.json', end: End): Promise<void> {
    await this.#write(name, json(end));
  }

  async #flush(): Promise<void> {
    this.#former += 1;
    await this.#segment('former', this.#former, this.#lines);
    this.#lines = [];
  }

  async #segment(kind: SegmentKind, number: number, lines: readonly object[]): Promise<void> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    await this.#write(segmentName(kind, number), await compress(text));
  }

  async #write(name: string, body: Uint8Array): Promise<void> {
    const { store, root, run, signal } = this.#place;
    const key = root + journalKey(run, name);
    try {
      await store.putIfAbsent(key, body, signal);
    } catch (error) {
      if (!isStoreError(error, 'PreconditionFailed')) throw error;
      // A request that was repeated meets its own object.
      const stored = await readWhole(store, key, signal);
      if (stored?.equals(body) === true) return;
      throw new StoreError(
        'Failed',
        `"${key}" in ${store.name} was written by somebody else: another run of layoutfs is at ` +
          'work on this bucket.',
        { cause: error },
      );
    }
  }
}

function json(value: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}
