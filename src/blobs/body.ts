import { StoreError } from '../store/errors.js';
import type { GetResult } from '../store/object-store.js';

/**
 * Read the wanted range out of an answered GET into one buffer. A store that ignored the range and
 * sent more is cut to it.
 * @throws StoreError `Interrupted` when the body ends before `length` bytes came
 */
export async function readRange(
  answer: GetResult,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  let position = answer.offset;
  for await (const chunk of answer.body) {
    const from = Math.max(0, offset - position);
    const wanted = chunk.subarray(Math.min(from, chunk.length), from + length - filled);
    bytes.set(wanted, filled);
    filled += wanted.length;
    position += chunk.length;
    if (filled === length) break;
  }
  answer.cancel();
  if (filled < length) {
    throw new StoreError(
      'Interrupted',
      `The body of ${answer.info.key} ended after ${filled} of ${length} bytes.`,
    );
  }
  return bytes;
}
