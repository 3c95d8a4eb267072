import { Worker } from 'node:worker_threads';

import type { Log } from '../../observe/log.js';
import { Notices } from './notices.js';
import type { NotifierData, NotifierMessage } from './notifier-thread.js';

/** When the mount's first readers have been served, in ms: a thread's start costs them time. */
const START_AFTER_MS = 1000;

/**
 * Tells the kernel what it did not ask for, from a thread of its own that serves nothing: the kernel
 * may hold a notice back until a request is answered.
 */
export class Notifier {
  readonly #fd: number;
  readonly #log: Log;
  readonly #notices: Notices;
  #thread: Worker | undefined;
  #taken: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param fd the device, mounted */
  constructor(fd: number, log: Log) {
    this.#fd = fd;
    this.#log = log;
    this.#notices = new Notices((notices) => this.#send(notices), log);
  }

  /** Have the thread ready soon, so that the first notice will not have to wait for its start. */
  startSoon(): void {
    this.#timer ??= setTimeout(() => this.#start(), START_AFTER_MS).unref();
  }

  /** See {@link Notices.add}. */
  notify(key: string, notice: Uint8Array): Promise<void> {
    return this.#notices.add(key, notice);
  }

  /**
   * End the thread. To be called when the kernel has ended the session: before, a notice could wait
   * for a request that nobody answers any more.
   */
  async close(): Promise<void> {
    this.#notices.close();
    clearTimeout(this.#timer);
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    thread.postMessage('end' satisfies NotifierMessage);
    await ended;
  }

  #start(): void {
    this.#thread ??= this.#startThread();
  }

  #send(notices: readonly Uint8Array[]): Promise<void> {
    this.#start();
    return new Promise((resolve) => {
      this.#taken = resolve;
      this.#thread?.postMessage(notices satisfies NotifierMessage);
    });
  }

  #startThread(): Worker {
    const workerData: NotifierData = { fd: this.#fd };
    const thread = new Worker(new URL('./notifier-thread.js', import.meta.url), { workerData });
    thread.on('message', (refusals: readonly string[]) => {
      for (const code of refusals) {
        // It never knew what it shall forget, is too old for the notice, or has ended the mount.
        this.#log.debug({ code }, 'The kernel did not take a notice.');
      }
      this.#taken?.();
    });
    thread.on('error', (error) => {
      this.#log.error({ error }, 'The notifier thread has failed; this is a bug in layoutfs.');
    });
    thread.once('exit', () => {
      this.#thread = undefined;
      this.#taken?.();
    });
    return thread;
  }
}
