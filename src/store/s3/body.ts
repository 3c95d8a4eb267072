import { StoreError } from '../errors.js';
import { BodyTooLongError } from '../http/errors.js';
import type { ResponseBody } from '../http/response-body.js';
import { readBodyInto } from '../read-into.js';
import { networkFailure } from './network-failures.js';

export interface BodyOptions {
  readonly stream: ResponseBody;
  /** Bytes to drop first, and after `length`: from a server that ignored the range. */
  readonly skip: number;
  readonly length: number;
  readonly ignoredRange: boolean;
  /** For messages: `"key" in s3://bucket`. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * A response's body as the port wants it: exactly `length` bytes or a {@link StoreError}. A body
 * taken to its end gives its socket back for the next request; any other ends with its socket.
 */
export function receiveBody(options: BodyOptions) {
  const { stream, length, ignoredRange, what, signal } = options;
  let left = length;
  let skip = options.skip;
  let cancelled = false;

  const release = () => {
    if (left === 0 && !ignoredRange) stream.resume();
    else stream.destroy();
  };
  const cancel = () => {
    cancelled = true;
    release();
  };
  // A cancelled or abandoned stream may still fail, and nobody would listen.
  stream.on('error', () => undefined);

  const take = (chunk: Uint8Array): Uint8Array => {
    const start = Math.min(skip, chunk.length);
    skip -= start;
    if (chunk.length - start > left && !ignoredRange) throw tooLong();
    const part = chunk.subarray(start, start + Math.min(left, chunk.length - start));
    left -= part.length;
    return part;
  };

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      if (isCancelled()) throw aborted();
      const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        const part = take(chunk);
        if (part.length > 0) yield part;
        if (left === 0 && ignoredRange) return;
      }
    } catch (error) {
      throw failure(error);
    } finally {
      release();
    }
    if (left > 0) throw isCancelled() ? aborted() : tooShort();
  }

  const readInto = async (target: Uint8Array, arrived?: (bytes: number) => void): Promise<void> => {
    // What must be skipped or cut off goes the long way.
    if (ignoredRange) return readBodyInto(body, target, arrived);
    try {
      if (isCancelled()) throw aborted();
      await stream.readInto(target.subarray(0, length), (bytes) => {
        left = length - bytes;
        arrived?.(bytes);
      });
    } catch (error) {
      stream.destroy();
      throw failure(error);
    }
    if (left > 0) throw tooShort();
  };

  const isCancelled = () => cancelled || signal?.aborted === true;
  const aborted = (cause?: unknown) =>
    new StoreError('Aborted', `Reading ${what} was aborted.`, { cause });
  const tooShort = (cause?: unknown) =>
    new StoreError(
      'Interrupted',
      `The answer with ${what} ended ${left} bytes early, of ${length}: read it again.`,
      { cause },
    );
  const tooLong = (cause?: unknown) =>
    new StoreError(
      'Interrupted',
      `The answer with ${what} is longer than it says: read it again.`,
      {
        cause,
      },
    );
  const failure = (error: unknown): StoreError => {
    if (error instanceof StoreError) return error;
    if (isCancelled()) return aborted(error);
    if (error instanceof BodyTooLongError) return tooLong(error);
    return networkFailure(error)?.[0] === 'Timeout'
      ? new StoreError('Timeout', `The server stopped sending ${what}.`, { cause: error })
      : tooShort(error);
  };

  const body = read();
  return { body, readInto, cancel };
}
