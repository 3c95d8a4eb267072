/**
 * The two grids that blobs are read on. A *block* is the unit of "is here": its bytes are handed out
 * when all of them have come, and it is what is compared when it is fetched again. A *part* is what
 * one ranged GET of a sequential read brings at most; smaller ones end at multiples of their size.
 */

/** Bytes in a block; the last one of a blob is shorter. */
export const BLOCK_SIZE = 128 * 1024;

/** Bytes in a part. */
export const PART_SIZE = 8 * 1024 * 1024;

/** Bytes that the GET of an open asks for: a small blob needs no other. */
export const FIRST_SIZE = 1024 * 1024;

/** A range of bytes of a blob. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Index of the block that holds the byte at `position`. */
export function blockOf(position: number): number {
  return Math.floor(position / BLOCK_SIZE);
}

/** Number of blocks of a blob of `size` bytes; an empty blob has none. */
export function blockCount(size: number): number {
  return Math.ceil(size / BLOCK_SIZE);
}

/** The end of the last whole block before `position`; the end of the blob ends a block too. */
export function wholeBlocks(position: number, size: number): number {
  return position >= size ? size : position - (position % BLOCK_SIZE);
}

/** The largest power of two that is not above `bytes`, at least `least`. */
export function powerOfTwo(bytes: number, least: number): number {
  let power = least;
  while (power * 2 <= bytes) power *= 2;
  return power;
}
