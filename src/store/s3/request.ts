import { StoreError } from '../errors.js';
import { s3Failure, subject, type RequestContext } from './failures.js';

/**
 * Wait for an answer of the SDK, but never longer than `signal` allows: its pauses ignore it.
 * @throws StoreError
 */
export async function answerOf<T>(
  answer: Promise<T>,
  context: RequestContext,
  signal: AbortSignal | undefined,
): Promise<T> {
  const cleanup = new AbortController();
  try {
    if (signal === undefined) return await answer;
    const aborted = new Promise<never>((_, reject) => {
      const stop = () => {
        reject(new Error('The request was aborted.', { cause: signal.reason }));
      };
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { signal: cleanup.signal });
    });
    return await Promise.race([answer, aborted]);
  } catch (error) {
    if (signal?.aborted !== true) throw s3Failure(error, context);
    const message = `The request to ${subject(context)} was aborted.`;
    throw new StoreError('Aborted', message, { cause: error });
  } finally {
    cleanup.abort();
  }
}

/** What the SDK's `send` is given so that `signal` ends it. */
export function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
