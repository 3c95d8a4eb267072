import type { BigIntStats } from 'node:fs';
import { StoreError } from '../errors.js';
import type { GetOptions, ObjectInfo } from '../object-store.js';

/** What a file's `stat` says about the object. */
export function infoOf(key: string, stat: BigIntStats): ObjectInfo {
  return {
    key,
    size: Number(stat.size),
    etag: etagOf(stat),
    lastModified: Number(stat.mtimeMs),
  };
}

/**
 * A version token: changes whenever the file is replaced or written, as far as the file system's
 * clock can tell (two writes of the same length within one tick of it look alike).
 */
function etagOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `"${[ino, size, mtimeNs, ctimeNs].map((value) => value.toString(36)).join('-')}"`;
}

/** @throws StoreError `PreconditionFailed` or `NotModified`, in the order of RFC 9110, 13.2.2. */
export function checkConditions(
  { etag }: ObjectInfo,
  { ifMatch, ifNoneMatch }: GetOptions,
  what: string,
): void {
  if (ifMatch !== undefined && ifMatch !== etag) {
    throw new StoreError('PreconditionFailed', `${what} is no longer the version ${ifMatch}.`);
  }
  if (ifNoneMatch !== undefined && ifNoneMatch === etag) {
    throw new StoreError('NotModified', `${what} is still the version ${ifNoneMatch}.`);
  }
}

/**
 * The part of an object of `size` bytes that a range asks for; the whole one without a range.
 * @throws StoreError `RangeNotSatisfiable` when it begins at or after the end.
 */
export function selectRange(
  size: number,
  range: GetOptions['range'],
  what: string,
): { offset: number; length: number } {
  if (range === undefined) return { offset: 0, length: size };
  if (range.offset >= size) {
    throw new StoreError(
      'RangeNotSatisfiable',
      `${what} has ${size} bytes, so there is nothing at ${range.offset}.`,
    );
  }
  return { offset: range.offset, length: Math.min(range.length, size - range.offset) };
}
