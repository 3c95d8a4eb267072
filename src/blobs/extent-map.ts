import { BLOCK_SIZE, blockOf } from './grid.js';
import type { Extent } from './extent.js';

/** Which extent has, or is about to have, each block of one blob. */
export class ExtentMap implements Iterable<Extent> {
  readonly #byBlock = new Map<number, Extent>();
  readonly #all = new Set<Extent>();

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  [Symbol.iterator](): Iterator<Extent> {
    return this.#all.values();
  }

  has(extent: Extent): boolean {
    return this.#all.has(extent);
  }

  /** The extent with the byte at `position`. */
  at(position: number): Extent | undefined {
    return this.#byBlock.get(blockOf(position));
  }

  add(extent: Extent): void {
    this.#all.add(extent);
    for (let at = extent.start; at < extent.end; at += BLOCK_SIZE) {
      this.#byBlock.set(blockOf(at), extent);
    }
  }

  delete(extent: Extent): void {
    if (this.#all.delete(extent)) this.#deleteBlocks(extent, extent.start);
  }

  /** The extent will not have what it does not have yet. */
  cut(extent: Extent): void {
    if (this.#all.has(extent)) this.#deleteBlocks(extent, extent.here);
  }

  /** Runs of whole blocks without an extent that hold the bytes of `[start, end)`. */
  missing(start: number, end: number): { start: number; end: number }[] {
    const runs: { start: number; end: number }[] = [];
    let run: { start: number; end: number } | undefined;
    for (let at = start - (start % BLOCK_SIZE); at < end;) {
      const extent = this.at(at);
      if (extent) {
        at = extent.end;
        run = undefined;
        continue;
      }
      if (!run) runs.push((run = { start: at, end: at }));
      run.end = at += BLOCK_SIZE;
    }
    return runs;
  }

  /** The end of what is in memory from `position` on without a hole. */
  hereFrom(position: number): number {
    let at = position;
    for (let extent = this.at(at); extent && extent.here > at; extent = this.at(at)) {
      at = extent.here;
    }
    return at;
  }

  /** The same, with what is about to come: it is being fetched, and has memory. */
  comingFrom(position: number): number {
    let at = position;
    for (let extent = this.at(at); extent; extent = this.at(at)) {
      const end = extent.isFilling && extent.piece ? extent.end : extent.here;
      if (end <= at) break;
      at = end;
    }
    return at;
  }

  #deleteBlocks(extent: Extent, from: number): void {
    for (let at = from; at < extent.end; at += BLOCK_SIZE) this.#byBlock.delete(blockOf(at));
  }
}
