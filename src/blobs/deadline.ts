import { BlobError } from './errors.js';

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
