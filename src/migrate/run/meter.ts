import {
  copyRequests,
  type GetResult,
  type WritableObjectStore,
} from '../../store/object-store.js';
import { readBodyInto } from '../../store/read-into.js';
import { NO_REQUESTS, sum, type Requests } from './requests.js';

/** A store that counts what its requests are billed as. */
export interface MeteredStore {
  readonly store: WritableObjectStore;
  /** What was asked so far. */
  readonly requests: () => Requests;
}

/** Put a meter in front of `store`. */
export function withMeter(store: WritableObjectStore): MeteredStore {
  let total = NO_REQUESTS;
  const count = (more: Partial<Requests>): void => {
    total = sum(total, more);
  };
  const { name, capabilities } = store;
  const metered: WritableObjectStore = {
    name,
    capabilities,
    list: (options) => {
      count({ list: 1 });
      return store.list(options);
    },
    head: (key, signal) => {
      count({ get: 1 });
      return store.head(key, signal);
    },
    get: async (key, options) => {
      count({ get: 1 });
      const result = await store.get(key, options);
      const body = countBytes(result, count);
      const cancel = (): void => result.cancel();
      return { ...result, body, cancel, readInto: readBodyInto.bind(undefined, body) };
    },
    put: (key, body, signal) => {
      count({ put: 1, bytesWritten: body.length });
      return store.put(key, body, signal);
    },
    putIfAbsent: (key, body, signal) => {
      count({ put: 1, bytesWritten: body.length });
      return store.putIfAbsent(key, body, signal);
    },
    copy: (from, to, options) => {
      count({ put: copyRequests(capabilities, options?.size ?? 0) });
      return store.copy(from, to, options);
    },
    delete: (key, signal) => {
      count({ delete: 1 });
      return store.delete(key, signal);
    },
    deleteMany: (keys, signal) => {
      count({ delete: 1 });
      return store.deleteMany(keys, signal);
    },
    uploads: (prefix, signal) => {
      count({ list: 1 });
      return store.uploads(prefix, signal);
    },
    abortUpload: (upload, signal) => {
      count({ delete: 1 });
      return store.abortUpload(upload, signal);
    },
    close: () => store.close(),
  };
  return { store: metered, requests: () => total };
}

async function* countBytes({ body }: GetResult, count: (more: Partial<Requests>) => void) {
  for await (const chunk of body) {
    count({ bytesRead: chunk.length });
    yield chunk;
  }
}
