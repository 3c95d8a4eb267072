/**
 * The grid that blobs are read on: part `i` of a blob is the ranged GET of
 * `[i × PART_SIZE, (i + 1) × PART_SIZE)`, the last one shorter.
 */

/** Bytes in a part. */
export const PART_SIZE = 4 * 1024 * 1024;

export interface PartRange {
  readonly offset: number;
  readonly length: number;
}

/** Number of parts of a blob of `size` bytes; an empty blob has none. */
export function partCount(size: number): number {
  return Math.ceil(size / PART_SIZE);
}

/** Where part `index` of a blob of `size` bytes lies. */
export function partRange(index: number, size: number): PartRange {
  const offset = index * PART_SIZE;
  return { offset, length: Math.min(PART_SIZE, size - offset) };
}

/** Indexes of the parts that hold bytes of `[offset, offset + length)`. */
export function partsOf(offset: number, length: number): number[] {
  if (length <= 0) return [];
  const first = Math.floor(offset / PART_SIZE);
  const last = Math.floor((offset + length - 1) / PART_SIZE);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
