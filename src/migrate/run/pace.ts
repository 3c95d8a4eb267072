import { setTimeout as sleep } from 'node:timers/promises';
import type { WritableObjectStore } from '../../store/object-store.js';

/** A store that sends at most `rate` requests in a second, evenly. */
export function withPace(
  store: WritableObjectStore,
  rate: number,
  signal?: AbortSignal,
): WritableObjectStore {
  const interval = 1000 / rate;
  let next = performance.now();
  const turn = async (): Promise<void> => {
    const now = performance.now();
    const at = Math.max(now, next);
    next = at + interval;
    if (at > now) await sleep(at - now, undefined, signal === undefined ? {} : { signal });
  };
  const paced =
    <Arguments extends unknown[], T>(request: (...given: Arguments) => Promise<T>) =>
    async (...given: Arguments): Promise<T> => {
      await turn();
      return request(...given);
    };
  const { name, capabilities } = store;
  return {
    name,
    capabilities,
    list: paced((options) => store.list(options)),
    get: paced((key, options) => store.get(key, options)),
    head: paced((key, only) => store.head(key, only)),
    put: paced((key, body, only) => store.put(key, body, only)),
    putIfAbsent: paced((key, body, only) => store.putIfAbsent(key, body, only)),
    copy: paced((from, to, options) => store.copy(from, to, options)),
    delete: paced((key, only) => store.delete(key, only)),
    deleteMany: paced((keys, only) => store.deleteMany(keys, only)),
    uploads: paced((prefix, only) => store.uploads(prefix, only)),
    abortUpload: paced((upload, only) => store.abortUpload(upload, only)),
    close: () => store.close(),
  };
}
