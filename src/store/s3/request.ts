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
  try {
    return await (signal === undefined ? answer : unlessAborted(answer, signal));
  } catch (error) {
    if (signal?.aborted !== true) throw s3Failure(error, context);
    const message = `The request to ${subject(context)} was aborted.`;
    throw new StoreError('Aborted', message, { cause: error });
  }
}

function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(new Error('The request was aborted.', { cause: signal.reason }));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
    // Removed by hand: a controller for it would make an exception, with its stack, per request.
    answer
      .finally(() => {
        signal.removeEventListener('abort', stop);
      })
      .then(resolve, reject);
  });
}

/** What the SDK's `send` is given so that `signal` ends it. */
export function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
