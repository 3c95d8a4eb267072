import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { GetOptions } from '../object-store.js';

/** Which part of the object a GET's answer carries. */
export interface AnsweredRange {
  /** Length of the whole object. */
  readonly size: number;
  readonly offset: number;
  readonly length: number;
  /** The server sent the whole object although a range was asked for. */
  readonly ignored: boolean;
}

/** @throws StoreError when the answer does not fit the question. */
export function answeredRange(
  { ContentLength, ContentRange }: Pick<GetObjectCommandOutput, 'ContentLength' | 'ContentRange'>,
  range: GetOptions['range'],
  what: string,
): AnsweredRange {
  if (range !== undefined && ContentRange !== undefined) {
    return checkRange(ContentRange, range, what);
  }
  const size = ContentLength;
  if (size === undefined || ContentRange !== undefined) {
    throw new StoreError(
      'Failed',
      `The server sent ${what} without saying how long it is: check for a proxy in between that changes answers.`,
    );
  }
  if (range === undefined) return { size, offset: 0, length: size, ignored: false };
  if (range.offset >= size) {
    throw new StoreError(
      'RangeNotSatisfiable',
      `${what} has ${size} bytes, so there is nothing at ${range.offset}.`,
    );
  }
  const length = Math.min(range.length, size - range.offset);
  return { size, offset: range.offset, length, ignored: true };
}

function checkRange(
  header: string,
  range: NonNullable<GetOptions['range']>,
  what: string,
): AnsweredRange {
  const [first, last, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(header) ?? [])
    .slice(1)
    .map(Number);
  const wanted = Math.min(range.length, (size ?? 0) - range.offset);
  if (
    first === undefined ||
    last === undefined ||
    size === undefined ||
    first !== range.offset ||
    last - first + 1 !== wanted
  ) {
    throw new StoreError(
      'Failed',
      `The server was asked for bytes ${range.offset}-${range.offset + range.length - 1} of ${what} ` +
        `and sent "${header}".`,
    );
  }
  return { size, offset: first, length: wanted, ignored: false };
}
