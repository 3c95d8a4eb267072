import { StoreError } from './errors.js';
import type { GetOptions, GetResult, WritableObjectStore } from './object-store.js';
import { Turns } from './turns.js';

/**
 * Sockets per store. 16 ranged GETs at once fill about 9 Gbit/s at 20 ms to the first byte and
 * 90 MB/s per connection; 64 leave room for a few such readers and for look-ups beside them.
 */
export const DEFAULT_CONNECTIONS = 64;

/** How long the body of an answer may wait for its reader, in ms: it holds a connection. */
const UNREAD_MS = 60_000;

/**
 * A store with at most `limit` requests under way, bodies included; the others wait their turn. The
 * time they wait counts against no deadline of the store, so this belongs outside of those.
 */
export function withBudget(store: WritableObjectStore, limit: number): WritableObjectStore {
  const turns = new Turns(limit);
  const inTurn = async <T>(
    signal: AbortSignal | undefined,
    request: () => Promise<T>,
  ): Promise<T> => {
    const end = await turns.take('foreground', signal);
    try {
      return await request();
    } finally {
      end();
    }
  };
  return {
    name: store.name,
    capabilities: store.capabilities,
    list: (options) => inTurn(options.signal, () => store.list(options)),
    head: (key, signal) => inTurn(signal, () => store.head(key, signal)),
    get: (key, options) => getInTurn(store, turns, key, options),
    put: (key, body, signal) => inTurn(signal, () => store.put(key, body, signal)),
    putIfAbsent: (key, body, signal) => inTurn(signal, () => store.putIfAbsent(key, body, signal)),
    delete: (key, signal) => inTurn(signal, () => store.delete(key, signal)),
    deleteMany: (keys, signal) => inTurn(signal, () => store.deleteMany(keys, signal)),
    copy: (from, to, options) => inTurn(options?.signal, () => store.copy(from, to, options)),
    uploads: (prefix, signal) => inTurn(signal, () => store.uploads(prefix, signal)),
    abortUpload: (upload, signal) => inTurn(signal, () => store.abortUpload(upload, signal)),
    close: () => store.close(),
  };
}

async function getInTurn(
  store: WritableObjectStore,
  turns: Turns,
  key: string,
  options: GetOptions = {},
): Promise<GetResult> {
  const { priority = 'foreground', signal } = options;
  const giveBack = await turns.take(priority, signal);
  try {
    return untilRead(await store.get(key, options), signal, giveBack);
  } catch (error) {
    giveBack();
    throw error;
  }
}

/** `result`, which calls `giveBack` when its body was read, cancelled, aborted or left alone. */
function untilRead(
  result: GetResult,
  signal: AbortSignal | undefined,
  giveBack: () => void,
): GetResult {
  let isTooLate = false;
  const end = () => {
    clearTimeout(unread);
    signal?.removeEventListener('abort', end);
    giveBack();
  };
  const cancel = () => {
    result.cancel();
    end();
  };
  const unread = setTimeout(() => {
    isTooLate = true;
    cancel();
  }, UNREAD_MS);
  // A forgotten answer is no reason to stay alive.
  unread.unref();
  signal?.addEventListener('abort', end, { once: true });
  const begin = () => {
    clearTimeout(unread);
    if (!isTooLate) return;
    throw new StoreError(
      'Interrupted',
      `Nobody read "${result.info.key}" for ${UNREAD_MS / 1000} s, so its connection was given to others: read it again.`,
    );
  };
  return {
    ...result,
    cancel,
    body: readBody(result, begin, end),
    readInto: async (target, arrived) => {
      begin();
      try {
        await result.readInto(target, arrived);
      } finally {
        end();
      }
    },
  };
}

async function* readBody(
  { body }: GetResult,
  begin: () => void,
  end: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  begin();
  try {
    yield* body;
  } finally {
    end();
  }
}
