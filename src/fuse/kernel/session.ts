import { closeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import type { Log } from '../../observe/log.js';
import type { FileSystem } from '../../tree/file-system.js';
import { backingCalls } from './backing-files.js';
import { Device } from './device.js';
import { Notifier } from './notifier.js';
import { Operations } from './operations.js';
import { encodeNewEpoch, type Owner } from './replies.js';
import { makeRequestCounts, type RequestCounts, sumRequests } from './request-counts.js';
import { decodeRequest } from './requests.js';
import type { ThreadData, ThreadMessage, ThreadNews } from './thread-messages.js';
import { makeRing, ToldRing } from './told-ring.js';

/** More threads were no faster on two cores, and each has its own JavaScript engine. */
const MAX_THREADS = 2;

/**
 * Memory for what is new in a serving thread's JavaScript engine, in MiB. All of it is garbage after
 * each request; by itself the engine lets it take ten times that before it looks.
 */
const YOUNG_MIB = 4;

/** A thread that has failed is replaced after this long, in ms. */
const REPLACE_AFTER_MS = 100;

export interface SessionOptions {
  readonly owner: Owner;
  readonly refreshMs: number;
  /** See `TransportOptions`. */
  readonly handsFiles: boolean;
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
  readonly #notifier: Notifier;
  readonly #operations: Operations;
  readonly #log: Log;
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #news = new Int32Array(new SharedArrayBuffer(4));
  readonly #threads = new Set<Worker>();
  readonly #rings = new Set<ToldRing>();
  readonly #counts = new Set<RequestCounts>();
  #initialize = (): void => undefined;

  /** @param fd an open /dev/fuse, mounted or about to be; the session closes it at its end */
  constructor(fd: number, fileSystem: FileSystem, options: SessionOptions) {
    this.#log = options.log;
    this.#device = new Device(fd, options.log);
    this.#notifier = new Notifier(fd, options.log);
    this.#operations = new Operations(fileSystem, {
      ...options,
      answer: (unique, chunks) => this.#device.answer(unique, chunks),
      backings: backingCalls(fd),
      publish: (known) => this.#announce({ kind: 'names', known }),
      withdraw: (parent) => this.#announce({ kind: 'noNames', parent }),
      settleTold: () => this.#drain(),
      notify: (key, notice) => this.#notifier.notify(key, notice),
    });
    this.initialized = new Promise((resolve) => (this.#initialize = resolve));
    const count = Math.min(MAX_THREADS, availableParallelism());
    const threads = Array.from({ length: count }, () => this.#serve());
    this.ended = Promise.all(threads).then(async () => {
      this.#drain();
      // What its thread waits for in the kernel, the kernel has given up by now.
      await this.#notifier.close();
      await this.#operations.end();
      closeSync(fd);
    });
  }

  /** Give up before the mount is made: threads wait for it no longer, and the session ends. */
  abandon(): void {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
  }

  /** Have the kernel ask again for names and listings that may have changed; before the end only. */
  refresh(): void {
    // This notice locks nothing, so it may be sent from here.
    if (this.#operations.refresh()) this.#device.notify(encodeNewEpoch());
  }

  /** See `MountedFileSystem.announced`; before the end only. */
  announced(): Promise<boolean> {
    return this.#operations.announced();
  }

  /** Requests that were read from the kernel so far, by kind. */
  requests(): Record<string, number> {
    return sumRequests(this.#counts);
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
    const told = makeRing();
    const counts = makeRequestCounts();
    const workerData: ThreadData = {
      fd: this.#device.fd,
      stop: this.#stop,
      news: this.#news,
      told,
      counts,
      opens: this.#operations.sharedOpens,
    };
    const thread = new Worker(new URL('./serving-thread.js', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    // Rings and counts stay: what a thread that failed has told is told.
    this.#rings.add(new ToldRing(told));
    this.#counts.add(counts);
    this.#threads.add(thread);
    thread.once('exit', () => this.#threads.delete(thread));
    return new Promise((resolve) => {
      thread.on('message', (message: ThreadMessage) => this.#receive(message));
      thread.on('error', resolve);
      thread.on('exit', () => resolve(undefined));
    });
  }

  #announce(news: ThreadNews): void {
    for (const thread of this.#threads) thread.postMessage(news);
    Atomics.add(this.#news, 0, 1);
  }

  /** Take note of all that threads have told the kernel; before anything that the kernel says. */
  #drain(): void {
    for (const ring of this.#rings) ring.drain((id, index) => this.#operations.told(id, index));
  }

  #receive(message: ThreadMessage): void {
    this.#drain();
    if (message.kind === 'told') return;
    if (message.kind === 'malformed') {
      this.#log.warn({ reason: message.reason }, 'The kernel sent a request that is malformed.');
      return;
    }
    if (message.kind === 'failed') {
      this.#log.error(
        { reason: message.reason },
        'A request could not be served and was answered EIO; this is a bug in layoutfs.',
      );
      return;
    }
    const request = decodeRequest(message.bytes);
    this.#operations.handle(request);
    if (request.body.kind !== 'init') return;
    this.#notifier.startSoon();
    this.#initialize();
  }
}
