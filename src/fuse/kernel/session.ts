import { closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import type { Log } from '../../observe/log.js';
import type { FileSystem } from '../../tree/file-system.js';
import { Device } from './device.js';
import { Operations } from './operations.js';
import type { Owner } from './replies.js';
import { decodeRequest } from './requests.js';
import type { ThreadData, ThreadMessage } from './thread-messages.js';

/** More threads were no faster on two cores, and each has its own JavaScript engine. */
const MAX_THREADS = 2;

/** A thread that has failed is replaced after this long, in ms. */
const REPLACE_AFTER_MS = 100;

export interface SessionOptions {
  readonly owner: Owner;
  readonly refreshMs: number;
  readonly log: Log;
}

/**
 * One session on an open /dev/fuse, from before the mount to the end of its threads. Threads read
 * the requests; the tree's answers are written from here.
 */
export class Session {
  /** Settles when the kernel has begun to talk to us. */
  readonly initialized: Promise<void>;
  /** Settles when the kernel has ended the session, all requests are answered and all is closed. */
  readonly ended: Promise<void>;
  readonly #device: Device;
  readonly #operations: Operations;
  readonly #log: Log;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  #initialize = (): void => undefined;

  /** @param fd an open /dev/fuse, mounted or about to be; the session closes it at its end */
  constructor(fd: number, fileSystem: FileSystem, options: SessionOptions) {
    this.#log = options.log;
    this.#device = new Device(fd, options.log);
    this.#operations = new Operations(fileSystem, {
      ...options,
      answer: (unique, chunks) => this.#device.answer(unique, chunks),
    });
    this.initialized = new Promise((resolve) => (this.#initialize = resolve));
    const count = Math.min(MAX_THREADS, availableParallelism());
    const threads = Array.from({ length: count }, () => this.#serve());
    this.ended = Promise.all(threads).then(async () => {
      await this.#operations.end();
      closeSync(fd);
    });
  }

  /** Give up before the mount is made: threads wait for it no longer, and the session ends. */
  abandon(): void {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
  }

  /** Keep one thread going until the session ends. */
  async #serve(): Promise<void> {
    for (;;) {
      const failure = await this.#runThread();
      if (failure === undefined) return;
      this.#log.error(
        { error: failure },
        'A serving thread has failed and is replaced; this is a bug in layoutfs.',
      );
      await new Promise((resolve) => setTimeout(resolve, REPLACE_AFTER_MS));
    }
  }

  /** @returns why the thread has failed, or undefined if the session is over */
  #runThread(): Promise<Error | undefined> {
    const workerData: ThreadData = { fd: this.#device.fd, stop: this.#stop };
    const thread = new Worker(new URL('./serving-thread.js', import.meta.url), { workerData });
    return new Promise((resolve) => {
      thread.on('message', (message: ThreadMessage) => this.#receive(message));
      thread.on('error', resolve);
      thread.on('exit', () => resolve(undefined));
    });
  }

  #receive(message: ThreadMessage): void {
    if (message.kind === 'malformed') {
      this.#log.warn({ reason: message.reason }, 'The kernel sent a request that is malformed.');
      return;
    }
    const request = decodeRequest(message.bytes);
    this.#operations.handle(request);
    if (request.body.kind === 'init') this.#initialize();
  }
}
