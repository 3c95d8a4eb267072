import { setMaxListeners } from 'node:events';
import { StoreError } from './errors.js';
import { IdleWatchdog } from './idle-watchdog.js';
import {
  copyRequests,
  type GetOptions,
  type GetResult,
  type ListOptions,
  type WritableObjectStore,
} from './object-store.js';

export interface Deadline {
  /** Longest wait for the answer of a LIST, HEAD or DELETE and for the head of a GET, in ms. */
  readonly requestMs: number;
  /** Longest wait for the next bytes of a body, in ms; only time the reader waits is counted. */
  readonly idleMs: number;
  /**
   * Longest wait for a PUT and for requests about many keys; default ten times `requestMs`. Each
   * request of a COPY has as long, and the time that its bytes take at {@link SLOWEST_COPY}.
   */
  readonly writeMs?: number;
}

/** Bytes that a store which is not stuck copies in a ms: 10 MiB in a second, a busy disk's. */
const SLOWEST_COPY = (10 * 1024 ** 2) / 1000;

/** What Node's timers can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A store whose every request ends in bounded time: what takes longer is aborted and answers
 * `StoreError` `Timeout`, even when the driver does not react to the abort. Except `readInto`, which
 * has the caller's memory: it is aborted in bounded time, and ends when the driver gives that back.
 */
export function withDeadline(store: WritableObjectStore, deadline: Deadline): WritableObjectStore {
  const { requestMs, idleMs, writeMs = 10 * requestMs } = deadline;
  const { name, capabilities } = store;
  return {
    name,
    capabilities,
    list: (options: ListOptions) =>
      within(requestMs, `Listing "${options.prefix}" in ${name}`, options.signal, (signal) =>
        store.list({ ...options, signal }),
      ),
    head: (key, signal) =>
      within(requestMs, `Looking at "${key}" in ${name}`, signal, (limited) =>
        store.head(key, limited),
      ),
    get: (key, options) => getWithin({ store, key, requestMs, idleMs }, options),
    put: (key, body, signal) =>
      within(writeMs, `Writing "${key}" in ${name}`, signal, (limited) =>
        store.put(key, body, limited),
      ),
    delete: (key, signal) =>
      within(requestMs, `Deleting "${key}" in ${name}`, signal, (limited) =>
        store.delete(key, limited),
      ),
    putIfAbsent: (key, body, signal) =>
      within(writeMs, `Writing "${key}" in ${name}`, signal, (limited) =>
        store.putIfAbsent(key, body, limited),
      ),
    deleteMany: (keys, signal) =>
      within(writeMs, `Deleting ${keys.length} keys in ${name}`, signal, (limited) =>
        store.deleteMany(keys, limited),
      ),
    copy: (from, to, options = {}) => {
      const { size = 0, signal } = options;
      const needed = writeMs * copyRequests(capabilities, size) + size / SLOWEST_COPY;
      const ms = Math.min(needed, LONGEST_TIMER_MS);
      return within(ms, `Copying "${from}" in ${name}`, signal, (limited) =>
        store.copy(from, to, { ...options, signal: limited }),
      );
    },
    uploads: (prefix, signal) =>
      within(writeMs, `Listing the uploads in ${name}`, signal, (limited) =>
        store.uploads(prefix, limited),
      ),
    abortUpload: (upload, signal) =>
      within(requestMs, `Giving up an upload of "${upload.key}"`, signal, (limited) =>
        store.abortUpload(upload, limited),
      ),
    close: () => store.close(),
  };
}

interface LimitedGet {
  readonly store: WritableObjectStore;
  readonly key: string;
  readonly requestMs: number;
  readonly idleMs: number;
}

async function getWithin(
  { store, key, requestMs, idleMs }: LimitedGet,
  options: GetOptions = {},
): Promise<GetResult> {
  const what = `Reading "${key}" in ${store.name}`;
  // Lives as long as the body: the driver listens to it until then.
  const controller = new AbortController();
  const unfollow = follow(options.signal, controller);
  let late = false;
  const request = async (): Promise<GetResult> => {
    const result = await store.get(key, { ...options, signal: controller.signal });
    if (late) result.cancel();
    return result;
  };
  try {
    const result = await limit(requestMs, request(), () => expire(requestMs, what, controller));
    const cancel = () => {
      result.cancel();
      unfollow();
    };
    const guard = { result, idleMs, what, controller, isStalled: false, unfollow };
    const readInto: GetResult['readInto'] = (target, arrived) =>
      untilStall(guard, (progress) =>
        result.readInto(target, (bytes) => {
          progress();
          arrived?.(bytes);
        }),
      );
    return { ...result, cancel, body: stopStalls(guard), readInto };
  } catch (error) {
    late = true;
    unfollow();
    throw error;
  }
}

interface StallGuard {
  readonly result: GetResult;
  readonly idleMs: number;
  readonly what: string;
  readonly controller: AbortController;
  isStalled: boolean;
  /** The driver has ended. */
  readonly unfollow: () => void;
}

/**
 * Run `transfer`, which calls its argument whenever bytes came; when none come for too long, cancel
 * it. Even then it is over only when the driver says so: until then it may write.
 */
async function untilStall(
  guard: StallGuard,
  transfer: (progress: () => void) => Promise<void>,
): Promise<void> {
  let stalled: StoreError | undefined;
  const watchdog = new IdleWatchdog(guard.idleMs, () => {
    stalled = stall(guard);
  });
  const progress = () => {
    watchdog.wait();
  };
  progress();
  try {
    await transfer(progress);
  } catch (error) {
    throw stalled ?? error;
  } finally {
    watchdog.stop();
    guard.unfollow();
  }
}

/** The body, with one timer for all its chunks; the time its reader takes is not counted. */
async function* stopStalls(guard: StallGuard): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = guard.result.body[Symbol.asyncIterator]();
  let stalled: (error: StoreError) => void = () => undefined;
  const watchdog = new IdleWatchdog(guard.idleMs, () => {
    stalled(stall(guard));
  });
  try {
    for (;;) {
      watchdog.wait();
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stalled = reject;
        chunks.next().then(resolve, reject);
      });
      watchdog.rest();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    watchdog.stop();
    // Not after a stall: the driver may be the one that hangs.
    if (!guard.isStalled) await chunks.return?.();
    guard.unfollow();
  }
}

function stall(guard: StallGuard): StoreError {
  guard.isStalled = true;
  guard.result.cancel();
  guard.controller.abort();
  return timeout(guard.what, `no bytes came for ${guard.idleMs} ms`);
}

/** Run `request` with a signal that fires at the caller's abort and at the deadline. */
async function within<T>(
  ms: number,
  what: string,
  outer: AbortSignal | undefined,
  request: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const unfollow = follow(outer, controller);
  try {
    return await limit(ms, request(controller.signal), () => expire(ms, what, controller));
  } finally {
    unfollow();
  }
}

/**
 * Abort `controller` when `outer` is aborted. `AbortSignal.any` does the same at several times the
 * cost, and leaves something at `outer` for each use.
 * @returns what ends it
 */
function follow(outer: AbortSignal | undefined, controller: AbortController): () => void {
  if (outer === undefined) return () => undefined;
  const abort = () => {
    controller.abort(outer.reason);
  };
  // Any number of requests may share a signal; Node would warn of more than ten.
  setMaxListeners(0, outer);
  if (outer.aborted) abort();
  else outer.addEventListener('abort', abort);
  return () => {
    outer.removeEventListener('abort', abort);
  };
}

function expire(ms: number, what: string, controller: AbortController): StoreError {
  controller.abort();
  return timeout(what, `no answer came within ${ms} ms`);
}

/** `promise`, or after `ms` the error that `expire` makes. A later rejection of `promise` is let go. */
async function limit<T>(ms: number, promise: Promise<T>, expire: () => StoreError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(expire());
    }, ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function timeout(what: string, reason: string): StoreError {
  return new StoreError(
    'Timeout',
    `${what} took too long: ${reason}. Check that the store is up and the way to it is not congested.`,
  );
}
