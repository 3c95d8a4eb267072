import type { GetResult, WritableObjectStore } from '../../../src/store/object-store.js';

/** How a process that uses a store comes to its end. */
export interface Death {
  /** Requests that are answered before. */
  readonly after: number;
  /** The one after these still reaches the store, though its answer reaches nobody. */
  readonly lastOneArrives: boolean;
}

/** A store as a process sees it that dies at some request; nothing works from then on. */
export class MortalStore implements WritableObjectStore {
  readonly name: string;
  requests = 0;
  readonly #store: WritableObjectStore;
  readonly #death: Death | undefined;
  /** Called before each request that is answered. */
  before: (verb: string, key: string) => Promise<void> | void = () => undefined;

  constructor(store: WritableObjectStore, death?: Death) {
    this.#store = store;
    this.#death = death;
    this.name = store.name;
  }

  get capabilities() {
    return this.#store.capabilities;
  }

  list: WritableObjectStore['list'] = (options) =>
    this.#live('list', options.prefix, () => this.#store.list(options));
  get: WritableObjectStore['get'] = (key, options) =>
    this.#live('get', key, () => this.#store.get(key, options));
  head: WritableObjectStore['head'] = (key) => this.#live('head', key, () => this.#store.head(key));
  put: WritableObjectStore['put'] = (key, body) =>
    this.#live('put', key, () => this.#store.put(key, body));
  putIfAbsent: WritableObjectStore['putIfAbsent'] = (key, body) =>
    this.#live('putIfAbsent', key, () => this.#store.putIfAbsent(key, body));
  delete: WritableObjectStore['delete'] = (key) =>
    this.#live('delete', key, () => this.#store.delete(key));
  deleteMany: WritableObjectStore['deleteMany'] = (keys) =>
    this.#live('deleteMany', keys[0] ?? '', () => this.#store.deleteMany(keys));
  copy: WritableObjectStore['copy'] = (from, to, options) =>
    this.#live('copy', to, () => this.#store.copy(from, to, options));
  uploads: WritableObjectStore['uploads'] = (prefix) =>
    this.#live('uploads', prefix, () => this.#store.uploads(prefix));
  abortUpload: WritableObjectStore['abortUpload'] = (upload) =>
    this.#live('abortUpload', upload.key, () => this.#store.abortUpload(upload));

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #live<T>(verb: string, key: string, request: () => Promise<T>): Promise<T> {
    this.requests += 1;
    const { after = Infinity, lastOneArrives = false } = this.#death ?? {};
    if (this.requests > after) {
      if (this.requests === after + 1 && lastOneArrives) discard(await request());
      // No StoreError: nobody may handle it.
      throw new Error('The process was killed.');
    }
    await this.before(verb, key);
    return request();
  }
}

/** Let go of a body that nobody will read. */
function discard(answer: unknown): void {
  if (typeof answer === 'object' && answer !== null && 'cancel' in answer) {
    (answer as GetResult).cancel();
  }
}
