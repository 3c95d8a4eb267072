import { Worker } from 'node:worker_threads';
import type { Digest } from '../../oci/digest.js';
import { type FileRange, hashRange } from './hash-range.js';

/** What the thread is sent. */
export interface HashRequest {
  readonly id: number;
  readonly range: FileRange;
}

/** What the thread answers: how far it is, any number of times, then how it ended. */
export type HashAnswer =
  | { readonly id: number; readonly hashed: number }
  | { readonly id: number; readonly digest: Digest | undefined }
  | { readonly id: number; readonly error: Error };

/** Less than this is not worth a thread, in bytes. */
const SMALL = 1024 * 1024;

interface Waiting {
  readonly range: FileRange;
  readonly hashed: ((bytes: number) => void) | undefined;
  readonly resolve: (digest: Promise<Digest | undefined> | Digest | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Hashes ranges of files in a thread of its own, started at the first one that is worth it. Where no
 * thread can be had, they are hashed here.
 */
export class HasherThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #hasThreads = true;
  #next = 0;

  /**
   * As {@link hashRange}.
   * @throws system errors
   */
  hash(range: FileRange, hashed?: (bytes: number) => void): Promise<Digest | undefined> {
    if (range.length < SMALL || !this.#hasThreads) return hashRange(range, hashed);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { range, hashed, resolve, reject });
      const worker = (this.#worker ??= this.#start());
      worker.ref();
      worker.postMessage({ id, range } satisfies HashRequest);
    });
  }

  /** End the thread; hashes under way fail. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new Error('The cache was closed.'));
    this.#waiting.clear();
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./file-hash-thread.js', import.meta.url));
    worker.on('message', (answer: HashAnswer) => this.#take(answer));
    worker.on('error', () => this.#lost(worker));
    return worker;
  }

  #take(answer: HashAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    if ('hashed' in answer) {
      waiting.hashed?.(answer.hashed);
      return;
    }
    this.#waiting.delete(answer.id);
    // An idle thread keeps no process alive.
    if (this.#waiting.size === 0) this.#worker?.unref();
    if ('error' in answer) waiting.reject(answer.error);
    else waiting.resolve(answer.digest);
  }

  #lost(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#hasThreads = false;
    this.#worker = undefined;
    for (const { range, hashed, resolve } of this.#waiting.values()) {
      resolve(hashRange(range, hashed));
    }
    this.#waiting.clear();
  }
}
