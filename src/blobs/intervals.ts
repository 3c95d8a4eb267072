/**
 * A set of byte positions kept as sorted, disjoint half-open intervals: which bytes of an inode
 * were delivered.
 */
export class Intervals {
  /** Flat list `[start, end, start, end, …]`, ascending, never touching. */
  readonly #bounds: number[] = [];
  #total = 0;

  /** Add `[start, end)`. */
  add(start: number, end: number): void {
    if (end <= start) return;
    const first = this.#firstTouching(start);
    let last = first;
    let from = start;
    let to = end;
    let replaced = 0;
    for (; last < this.#bounds.length; last += 2) {
      const a = this.#bounds[last] ?? 0;
      const b = this.#bounds[last + 1] ?? 0;
      if (a > end) break;
      from = Math.min(from, a);
      to = Math.max(to, b);
      replaced += b - a;
    }
    this.#bounds.splice(first, last - first, from, to);
    this.#total += to - from - replaced;
  }

  /** Add all that another set has. */
  addAll(other: Intervals): void {
    for (let i = 0; i < other.#bounds.length; i += 2) {
      this.add(other.#bounds[i] ?? 0, other.#bounds[i + 1] ?? 0);
    }
  }

  /** Whether this set, of positions below `size`, would hold all of them with `[start, end)`. */
  wouldCover(start: number, end: number, size: number): boolean {
    let added = Math.max(0, end - start);
    for (let i = this.#firstTouching(start); i < this.#bounds.length; i += 2) {
      const a = this.#bounds[i] ?? 0;
      const b = this.#bounds[i + 1] ?? 0;
      if (a >= end) break;
      added -= Math.max(0, Math.min(b, end) - Math.max(a, start));
    }
    return this.#total + added >= size;
  }

  /** Whether all of `[0, size)` is in the set. */
  covers(size: number): boolean {
    return size === 0 || (this.#bounds[0] === 0 && (this.#bounds[1] ?? 0) >= size);
  }

  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }

  /** Where the first interval is that ends at or after `position`. */
  #firstTouching(position: number): number {
    let low = 0;
    let high = this.#bounds.length / 2;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#bounds[2 * middle + 1] ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
}
