import { isStoreError, type StoreErrorCode } from '../store/errors.js';
import type { ObjectStore } from '../store/object-store.js';
import type { StoreHealth } from './status.js';

/** Answers that say something about an object and nothing about the store's health. */
const ORDINARY: readonly StoreErrorCode[] = [
  'NotFound',
  'AccessDenied',
  'PreconditionFailed',
  'NotModified',
  'RangeNotSatisfiable',
  'Archived',
  'Aborted',
];

/** Remembers how a mount's stores answered last. */
export class HealthRecord {
  #failing = new Set<string>();
  #lastError: StoreHealth['lastError'];

  /** `store`, watched. */
  watch(store: ObjectStore): ObjectStore {
    return {
      name: store.name,
      capabilities: store.capabilities,
      list: (options) => this.#note(store.name, store.list(options)),
      get: (key, options) => this.#note(store.name, store.get(key, options)),
      head: (key, signal) => this.#note(store.name, store.head(key, signal)),
      close: () => store.close(),
    };
  }

  /** Healthy while no store's newest answer was a failure. */
  snapshot(): StoreHealth {
    const healthy = this.#failing.size === 0;
    return this.#lastError === undefined ? { healthy } : { healthy, lastError: this.#lastError };
  }

  async #note<T>(store: string, request: Promise<T>): Promise<T> {
    try {
      const answer = await request;
      this.#failing.delete(store);
      return answer;
    } catch (error) {
      if (isStoreError(error, ...ORDINARY)) {
        if (!isStoreError(error, 'Aborted')) this.#failing.delete(store);
      } else {
        this.#failing.add(store);
        const code = isStoreError(error) ? error.code : 'Failed';
        this.#lastError = {
          at: new Date().toISOString(),
          code,
          message: (error as Error).message,
        };
      }
      throw error;
    }
  }
}
