import { setTimeout as sleep } from 'node:timers/promises';
import { isBlobError } from '../blobs/errors.js';
import { ByteProgress } from './progress-bar.js';
import type { PlannedBlob } from './warm-plan.js';
import type { WarmTarget } from './warm-target.js';

/** Blobs fetched at once: background work leaves room for readers. */
const AT_ONCE = 3;

/** Bytes read at a time. */
const STEP = 1024 * 1024;

/** Attempts at a blob while the store fails. */
const ATTEMPTS = 3;

/** Pause before the second attempt, in ms; twice that before the third. */
const PAUSE = 1000;

/** Bytes that are read before it is seen whether the disk keeps up. */
const STRIDE = 8 * 1024 * 1024;

/** What may wait to be written while more is read, in bytes: memory holds so little of a large blob. */
const MAX_UNWRITTEN = 16 * 1024 * 1024;

/** How long a disk that writes nothing is waited for, in ms. */
const DISK_PATIENCE_MS = 10_000;

/** How long it may take until a blob that was read is complete on the disk, in ms. */
const SETTLE_MS = 60_000;

/** What came of one blob. */
export type FetchOutcome = 'fetched' | 'cached' | { readonly reason: string };

export interface FetchRequest {
  readonly target: WarmTarget;
  readonly planned: readonly PlannedBlob[];
  /** Called whenever something has come. */
  readonly onProgress: (progress: WarmProgress) => void;
  readonly signal: AbortSignal;
}

/** How far fetching is. */
export interface WarmProgress {
  readonly total: ByteProgress;
  /** Those that are being fetched. */
  readonly current: ReadonlyMap<PlannedBlob, ByteProgress>;
  /** Blobs done, of how many. */
  readonly done: number;
  readonly count: number;
}

/**
 * Fetch blobs, a few at once. What is in the cache already is not read.
 * @returns what came of each
 * @throws the reason of an aborted `signal`
 */
export async function fetchBlobs(request: FetchRequest): Promise<Map<PlannedBlob, FetchOutcome>> {
  const { planned, signal } = request;
  const outcomes = new Map<PlannedBlob, FetchOutcome>();
  const current = new Map<PlannedBlob, ByteProgress>();
  const total = new ByteProgress(planned.reduce((sum, { size }) => sum + size, 0));
  const show = () =>
    request.onProgress({ total, current, done: outcomes.size, count: planned.length });
  const waiting = planned.values();
  const work = async () => {
    for (const blob of waiting) {
      signal.throwIfAborted();
      const own = new ByteProgress(blob.size);
      current.set(blob, own);
      const outcome = await fetchOne(request, blob, (bytes) => {
        own.add(bytes);
        total.add(bytes);
        show();
      });
      signal.throwIfAborted();
      current.delete(blob);
      outcomes.set(blob, outcome);
      // What is not fetched does not count, or the rate would be wrong.
      total.expect(own.done - blob.size);
      show();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

async function fetchOne(
  { target, signal }: FetchRequest,
  blob: PlannedBlob,
  arrived: (bytes: number) => void,
): Promise<FetchOutcome> {
  if (await target.has(blob)) return 'cached';
  if (blob.size > (target.maxBytes ?? Infinity)) {
    return { reason: 'It is larger than the cache may be (--cache-size).' };
  }
  let most = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      // What came before a failure is read again, from memory or the disk, and not counted twice.
      await readThrough(target, blob, signal, (position) => {
        if (position > most) arrived(position - most);
        most = Math.max(most, position);
      });
      return 'fetched';
    } catch (error) {
      if (!(error instanceof Error) || signal.aborted) throw error;
      if (attempt === ATTEMPTS || !isBlobError(error, 'unavailable')) {
        return { reason: error.message };
      }
      await sleep(PAUSE * attempt, undefined, { signal });
    }
  }
}

/** @throws BlobError, system errors, and Error when the cache does not take it */
async function readThrough(
  target: WarmTarget,
  blob: PlannedBlob,
  signal: AbortSignal,
  reached: (position: number) => void,
): Promise<void> {
  const reader = await target.open(blob);
  try {
    for (let position = 0; position < blob.size;) {
      const bytes = await unlessAborted(signal, reader.read(position, STEP));
      if (bytes === 0) throw new Error(`It ends after ${position} of ${blob.size} bytes.`);
      position += bytes;
      reached(position);
      if (position % STRIDE < bytes) await letDiskKeepUp(target, signal);
    }
    // Open until then: it is made complete by its reader.
    await settle(target, blob, signal);
  } finally {
    // Of a file of the mount it waits for the read under way.
    await unlessAborted(signal, reader.close()).catch(() => undefined);
  }
}

/** A reader that is faster than the disk would leave it behind, and the blob incomplete. */
async function letDiskKeepUp(target: WarmTarget, signal: AbortSignal): Promise<void> {
  let least = Infinity;
  let until = 0;
  for (let pause = 5; ; pause = Math.min(100, pause * 2)) {
    const unwritten = await target.unwrittenBytes();
    if (unwritten === undefined || unwritten <= MAX_UNWRITTEN) return;
    if (unwritten < least) until = performance.now() + DISK_PATIENCE_MS;
    else if (performance.now() > until) return;
    least = Math.min(least, unwritten);
    await sleep(pause, undefined, { signal });
  }
}

/** What `work` comes to; nobody waits for it once `signal` is aborted: its reason is thrown. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the signal's own
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** @throws Error when the cache does not take it */
async function settle(target: WarmTarget, blob: PlannedBlob, signal: AbortSignal): Promise<void> {
  const until = performance.now() + SETTLE_MS;
  for (let pause = 5; (await target.has(blob)) === false; pause = Math.min(500, pause * 2)) {
    const trouble = await target.trouble();
    if (trouble !== undefined) throw new Error(`The cache did not take it: ${trouble}.`);
    if (performance.now() > until) {
      throw new Error('The cache did not take it: another process may be writing it.');
    }
    await sleep(pause, undefined, { signal });
  }
}
