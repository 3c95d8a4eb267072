import type { Log } from '../../observe/log.js';

/** Notices that wait for the kernel; more are dropped, for they are but hints. */
const MAX_WAITING = 10_000;

/** Notices handed to the thread at once. */
const BATCH = 64;

interface Waiting {
  readonly notice: Uint8Array;
  readonly taken: Promise<void>;
  readonly settle: () => void;
}

/**
 * Notices on their way to the kernel, one batch at a time. Each may take as long as a request that
 * it waits for in the kernel, so the same notice waits only once.
 */
export class Notices {
  readonly #send: (notices: readonly Uint8Array[]) => Promise<void>;
  readonly #log: Log;
  readonly #waiting = new Map<string, Waiting>();
  #sending: Promise<void> | undefined;
  #closed = false;

  /** @param send settles, and never rejects, when the kernel has taken or refused all of them */
  constructor(send: (notices: readonly Uint8Array[]) => Promise<void>, log: Log) {
    this.#send = send;
    this.#log = log;
  }

  /**
   * Tell the kernel.
   * @param key the same for notices that say the same
   * @returns settles when the kernel has acted on it, or never will
   */
  add(key: string, notice: Uint8Array): Promise<void> {
    const same = this.#waiting.get(key);
    if (same !== undefined) return same.taken;
    if (this.#closed) return Promise.resolve();
    if (this.#waiting.size >= MAX_WAITING) {
      this.#log.warn(
        { waiting: this.#waiting.size },
        'The kernel is not told of a change, for too many wait; it asks again in time.',
      );
      return Promise.resolve();
    }
    let settle = (): void => undefined;
    const taken = new Promise<void>((resolve) => (settle = resolve));
    this.#waiting.set(key, { notice, taken, settle });
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
    return taken;
  }

  /** Send no more; whoever waits for one that was not sent waits no longer. */
  close(): void {
    this.#closed = true;
    for (const { settle } of this.#waiting.values()) settle();
    this.#waiting.clear();
  }

  async #sendAll(): Promise<void> {
    // What is added together is sent together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, BATCH);
      // From now on the same notice again is another one: it may be about what came after.
      for (const [key] of batch) this.#waiting.delete(key);
      await this.#send(batch.map(([, { notice }]) => notice));
      for (const [, { settle }] of batch) settle();
    }
  }
}
