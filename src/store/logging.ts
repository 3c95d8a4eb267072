import type { Log } from '../observe/log.js';
import { StoreError } from './errors.js';
import type { WritableObjectStore } from './object-store.js';

/**
 * A store that writes one debug line per request: what was asked, how it ended, how long it took.
 * Whether a failure deserves a warning is for the caller to say, who knows what follows from it.
 */
export function withLogging(store: WritableObjectStore, log: Log): WritableObjectStore {
  const note = async <T>(
    operation: string,
    fields: Readonly<Record<string, unknown>>,
    request: Promise<T>,
  ): Promise<T> => {
    const start = performance.now();
    let answer = 'ok';
    try {
      return await request;
    } catch (error) {
      answer = error instanceof StoreError ? error.code : String(error);
      throw error;
    } finally {
      const ms = Math.round(performance.now() - start);
      log.debug({ store: store.name, operation, ...fields, answer, ms }, 'The store was asked.');
    }
  };
  return {
    name: store.name,
    capabilities: store.capabilities,
    list: (options) => {
      const { prefix, delimiter, token } = options;
      return note('list', { prefix, delimiter, token }, store.list(options));
    },
    head: (key, signal) => note('head', { key }, store.head(key, signal)),
    get: (key, options) => note('get', { key, range: options?.range }, store.get(key, options)),
    put: (key, body, signal) =>
      note('put', { key, bytes: body.length }, store.put(key, body, signal)),
    delete: (key, signal) => note('delete', { key }, store.delete(key, signal)),
    putIfAbsent: (key, body, signal) =>
      note('put if absent', { key, bytes: body.length }, store.putIfAbsent(key, body, signal)),
    deleteMany: (keys, signal) =>
      note('delete', { keys: keys.length }, store.deleteMany(keys, signal)),
    copy: (from, to, options) => note('copy', { from, to }, store.copy(from, to, options)),
    uploads: (prefix, signal) => note('list uploads', { prefix }, store.uploads(prefix, signal)),
    abortUpload: (upload, signal) =>
      note('abort upload', { key: upload.key }, store.abortUpload(upload, signal)),
    close: () => store.close(),
  };
}
