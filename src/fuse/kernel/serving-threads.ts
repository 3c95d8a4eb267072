import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import type { ThreadData, WaitingThreadData } from './thread-messages.js';

/** More threads were no faster on two cores, and each has its own JavaScript engine. */
const MAX_THREADS = 2;

/** Threads that serve one mount. */
export const THREADS = Math.min(MAX_THREADS, availableParallelism());

/**
 * Memory for what is new in a serving thread's JavaScript engine, in MiB. All of it is garbage after
 * each request; by itself the engine lets it take ten times that before it looks.
 */
const YOUNG_MIB = 4;

/** A thread that waits for what it shall serve. */
export class ServingThread {
  readonly worker: Worker;
  readonly #begin = new Int32Array(new SharedArrayBuffer(4));

  /** @throws Error when there can be no thread; most failures come as events of the worker, though */
  constructor() {
    const workerData: WaitingThreadData = { begin: this.#begin };
    this.worker = new Worker(new URL('./serving-thread.js', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
  }

  /** Have it serve; once. */
  serve(data: ThreadData): void {
    this.worker.postMessage(data);
    Atomics.store(this.#begin, 0, 1);
    Atomics.notify(this.#begin, 0);
  }
}

/**
 * Threads that are started before there is something to serve, since a thread takes longer to start
 * than a mount to be made. They keep no process alive, and one that fails is not missed: whoever
 * needs one then makes it.
 */
export class WaitingThreads {
  readonly #threads = new Set<ServingThread>();

  /** Start all that serve one mount. */
  start(): void {
    for (let count = 0; count < THREADS; count += 1) this.#add(new ServingThread());
  }

  /** One that was started or is starting, or a new one. */
  take(): ServingThread {
    const [thread] = this.#threads;
    if (thread === undefined) return new ServingThread();
    this.#threads.delete(thread);
    thread.worker.ref();
    return thread;
  }

  /** End those that nobody has taken. */
  async end(): Promise<void> {
    const threads = [...this.#threads];
    this.#threads.clear();
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #add(thread: ServingThread): void {
    const { worker } = thread;
    const forget = (): void => void this.#threads.delete(thread);
    worker.on('error', forget).on('exit', forget).unref();
    this.#threads.add(thread);
  }
}
