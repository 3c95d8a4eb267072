import type { CounterName, Counters } from '../observe/counters.js';
import { isStoreError } from './errors.js';
import type { GetResult, WritableObjectStore } from './object-store.js';

/** A store that counts its requests, its errors and the bytes it delivers. */
export function withCounting(store: WritableObjectStore, counters: Counters): WritableObjectStore {
  const count = async <T>(name: CounterName, request: Promise<T>): Promise<T> => {
    counters.increment(name);
    try {
      return await request;
    } catch (error) {
      noteError(error, counters);
      throw error;
    }
  };
  return {
    name: store.name,
    capabilities: store.capabilities,
    list: (options) => count('store.list', store.list(options)),
    head: (key, signal) => count('store.head', store.head(key, signal)),
    async get(key, options) {
      const result = await count('store.get', store.get(key, options));
      const cancel = () => {
        result.cancel();
      };
      const readInto: GetResult['readInto'] = async (target, arrived) => {
        let counted = 0;
        try {
          await result.readInto(target, (bytes) => {
            counters.increment('store.bytes', bytes - counted);
            counted = bytes;
            arrived?.(bytes);
          });
        } catch (error) {
          noteError(error, counters);
          throw error;
        }
      };
      return { ...result, cancel, body: countBytes(result, counters), readInto };
    },
    put: (key, body, signal) => count('store.write', store.put(key, body, signal)),
    delete: (key, signal) => count('store.write', store.delete(key, signal)),
    putIfAbsent: (key, body, signal) => count('store.write', store.putIfAbsent(key, body, signal)),
    deleteMany: (keys, signal) => count('store.write', store.deleteMany(keys, signal)),
    copy: (from, to, options) => count('store.write', store.copy(from, to, options)),
    uploads: (prefix, signal) => count('store.list', store.uploads(prefix, signal)),
    abortUpload: (upload, signal) => count('store.write', store.abortUpload(upload, signal)),
    close: () => store.close(),
  };
}

async function* countBytes({ body }: GetResult, counters: Counters) {
  try {
    for await (const chunk of body) {
      counters.increment('store.bytes', chunk.length);
      yield chunk;
    }
  } catch (error) {
    noteError(error, counters);
    throw error;
  }
}

/** Answers that a caller asked for (absence, a condition, its own abort) are no errors. */
function noteError(error: unknown, counters: Counters): void {
  if (isStoreError(error, 'NotModified')) counters.increment('store.notModified');
  else if (
    !isStoreError(error, 'NotFound', 'PreconditionFailed', 'RangeNotSatisfiable', 'Aborted')
  ) {
    counters.increment('store.error');
  }
}
