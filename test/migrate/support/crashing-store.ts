import type { GetResult, WritableObjectStore } from '../../../src/store/object-store.js';

/** The process ended here, as far as the code under test can tell. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

export interface Crash {
  /** Which request is the last one, counted from 1. */
  readonly at: number;
  /** The store still did what it was asked for, and nobody learnt of it. */
  readonly done: boolean;
}

/** One request as a test sees it. */
export interface Asked {
  readonly verb: string;
  readonly keys: readonly string[];
}

/**
 * A store that dies at one request: it and all that follow fail. Until then it passes everything on,
 * and tells what it was asked.
 */
export class CrashingStore {
  readonly asked: Asked[] = [];
  readonly store: WritableObjectStore;
  /** Called after each request that may have changed something. */
  afterWrite: (asked: Asked) => Promise<void> | void = () => undefined;
  beforeRequest: (asked: Asked) => Promise<void> | void = () => undefined;

  constructor(real: WritableObjectStore, crash?: Crash) {
    const pass = async <T>(
      verb: string,
      keys: readonly string[],
      request: () => Promise<T>,
    ): Promise<T> => {
      const asked = { verb, keys };
      const number = this.asked.push(asked);
      if (crash !== undefined && (number > crash.at || (number === crash.at && !crash.done))) {
        throw new Killed(`Killed at request ${crash.at}.`);
      }
      await this.beforeRequest(asked);
      const answer = await request();
      if (!['list', 'get', 'head', 'uploads'].includes(verb)) await this.afterWrite(asked);
      if (number === crash?.at) {
        if (typeof answer === 'object' && answer !== null && 'cancel' in answer) {
          (answer as unknown as GetResult).cancel();
        }
        throw new Killed(`Killed after request ${crash.at}.`);
      }
      return answer;
    };
    this.store = {
      name: real.name,
      capabilities: real.capabilities,
      list: (options) => pass('list', [options.prefix], () => real.list(options)),
      get: (key, options) => pass('get', [key], () => real.get(key, options)),
      head: (key, signal) => pass('head', [key], () => real.head(key, signal)),
      put: (key, body, signal) => pass('put', [key], () => real.put(key, body, signal)),
      putIfAbsent: (key, body, signal) =>
        pass('putIfAbsent', [key], () => real.putIfAbsent(key, body, signal)),
      copy: (from, to, options) => pass('copy', [from, to], () => real.copy(from, to, options)),
      delete: (key, signal) => pass('delete', [key], () => real.delete(key, signal)),
      deleteMany: (keys, signal) => pass('deleteMany', keys, () => real.deleteMany(keys, signal)),
      uploads: (prefix, signal) => pass('uploads', [prefix], () => real.uploads(prefix, signal)),
      abortUpload: (upload, signal) =>
        pass('abortUpload', [upload.key], () => real.abortUpload(upload, signal)),
      close: () => real.close(),
    };
  }
}
