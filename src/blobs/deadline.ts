import { BlobError, isBlobError } from './errors.js';

/**
 * Wait for `work` at most `ms` milliseconds. The work itself goes on: others may be waiting for it,
 * and its result is kept.
 * @throws BlobError `unavailable` when the time is over
 */
export async function withinDeadline<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new BlobError('unavailable', `${what} took longer than ${ms} ms; it goes on.`));
    }, ms);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Wait for `work` as long as `position` moves at least once in `ms` milliseconds.
 * @throws BlobError `unavailable` when it does not
 */
export async function whileItGetsOn<T>(
  work: Promise<T>,
  ms: number,
  what: string,
  position: () => number,
): Promise<T> {
  let before = position();
  for (;;) {
    try {
      return await withinDeadline(work, ms, what);
    } catch (error) {
      const now = position();
      if (!isBlobError(error, 'unavailable') || now === before) throw error;
      before = now;
    }
  }
}
