import type { ContentName } from './disk-cache.js';
import type { Extent } from './extent.js';
import type { ExtentMap } from './extent-map.js';
import type { Memory } from './memory.js';
import { pieceSize, type Stream } from './stream.js';

/** GETs ahead of readers that run at once, over all blobs. */
const MAX_AHEAD = 32;

/** GETs of one stream that run at once. */
const MAX_PARALLEL = 16;

/** A stream that did not read for this long does not count among those who share, in ms. */
const ACTIVE_MS = 3000;

/** What is read by a stream. */
export interface AheadContent extends ContentName {
  readonly extents: ExtentMap;
  /** Fetch `[start, end)`, which no extent has, if there is memory; answers whether there was. */
  fetchAhead(repository: string, start: number, end: number, stream: Stream): Extent | undefined;
}

interface ActiveStream {
  readonly content: AheadContent;
  readonly repository: string;
  readAt: number;
  /** There was no room for all that it should have. */
  isHungry: boolean;
}

/**
 * Fetches ahead of readers, within a share of the memory that is the same for each. What does not
 * fit is not waited for: a reader that needs it asks for it by itself.
 */
export class ReadAhead {
  readonly #memory: Memory;
  readonly #streams = new Map<Stream, ActiveStream>();
  readonly #fetching = new Set<Extent>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** A stream was read: fetch what it will want next. */
  read(stream: Stream, content: AheadContent, repository: string): void {
    const now = performance.now();
    if (stream.window(now) === 0) return;
    const known = this.#streams.get(stream);
    const active = known ?? { content, repository, readAt: now, isHungry: false };
    active.readAt = now;
    if (!known) this.#streams.set(stream, active);
    this.#plan(stream, active, now);
  }

  /** A stream does not go on: what is on its way for it alone is stopped. */
  end(stream: Stream): void {
    const active = this.#streams.get(stream);
    if (!active) return;
    this.#streams.delete(stream);
    for (const extent of active.content.extents) {
      if (extent.reader !== stream) continue;
      if (extent.isFilling) extent.stop();
      else this.#memory.touch(extent);
    }
    this.goOn();
  }

  /** There may be room again: those who had none get some, in turn. */
  goOn(): void {
    const now = performance.now();
    for (const [stream, active] of [...this.#streams]) {
      if (this.#fetching.size >= MAX_AHEAD) return;
      if (!active.isHungry || now - active.readAt > ACTIVE_MS) continue;
      // To the end of the line.
      this.#streams.delete(stream);
      this.#streams.set(stream, active);
      this.#plan(stream, active, now);
    }
  }

  /** A reader lacks memory: stop the fetch that was begun last and that nobody waits for. */
  yield(): void {
    const unwanted = [...this.#fetching].filter((extent) => !extent.isWanted && extent.piece);
    unwanted.at(-1)?.stop();
  }

  /** The extent is filled, or will not be. */
  fetched(extent: Extent): void {
    if (this.#fetching.delete(extent)) this.goOn();
  }

  #plan(stream: Stream, active: ActiveStream, now: number): void {
    const { content, repository } = active;
    active.isHungry = false;
    const readers = this.#activeCount(now);
    const window = Math.min(stream.window(now), this.#memory.aheadBytes / readers);
    const parallel = Math.min(MAX_PARALLEL, Math.max(2, MAX_AHEAD / readers));
    const piece = Math.min(this.#memory.largest, pieceSize(window, parallel));
    const target = Math.min(content.size, stream.position + window);
    while (stream.planned < target) {
      // Pieces end at multiples of their size, so that readers of one blob ask for the same ones.
      const end = Math.min(content.size, stream.planned - (stream.planned % piece) + piece);
      // Not piecemeal, as the reader goes on by a little.
      if (end > target && stream.planned > stream.position) return;
      for (const run of content.extents.missing(stream.planned, end)) {
        const room = this.#fetching.size < MAX_AHEAD;
        const to = Math.min(run.end, content.size);
        const extent = room && content.fetchAhead(repository, run.start, to, stream);
        if (!extent) {
          active.isHungry = true;
          return;
        }
        this.#fetching.add(extent);
      }
      stream.planned = end;
    }
  }

  #activeCount(now: number): number {
    let count = 0;
    for (const { readAt } of this.#streams.values()) if (now - readAt <= ACTIVE_MS) count++;
    return Math.max(1, count);
  }
}
