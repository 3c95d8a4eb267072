/**
 * A set of byte positions kept as sorted, disjoint half-open intervals: which bytes of an inode
 * were delivered.
 */
export class Intervals {
  /** Flat list `[start, end, start, end, …]`, ascending, never touching. */
  #bounds: number[] = [];

  /** Add `[start, end)`. */
  add(start: number, end: number): void {
    if (end <= start) return;
    const kept: number[] = [];
    let from = start;
    let to = end;
    let placed = false;
    for (let i = 0; i < this.#bounds.length; i += 2) {
      const a = this.#bounds[i] ?? 0;
      const b = this.#bounds[i + 1] ?? 0;
      if (b < from) kept.push(a, b);
      else if (a > to) {
        if (!placed) kept.push(from, to);
        placed = true;
        kept.push(a, b);
      } else {
        from = Math.min(from, a);
        to = Math.max(to, b);
      }
    }
    if (!placed) kept.push(from, to);
    this.#bounds = kept;
  }

  /** Whether this set together with `[start, end)` would hold all of `[0, size)`. */
  wouldCover(start: number, end: number, size: number): boolean {
    const union = new Intervals();
    union.#bounds = this.#bounds;
    union.add(start, end);
    return union.covers(size);
  }

  /** Whether all of `[0, size)` is in the set. */
  covers(size: number): boolean {
    return size === 0 || (this.#bounds[0] === 0 && (this.#bounds[1] ?? 0) >= size);
  }

  clear(): void {
    this.#bounds = [];
  }

  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }
}
