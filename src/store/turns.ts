import { StoreError } from './errors.js';
import type { GetOptions } from './object-store.js';

type Priority = NonNullable<GetOptions['priority']>;

interface Waiter {
  readonly begin: () => void;
}

/**
 * Lets at most `limit` requests go on at once. The others wait in the order they came, those that
 * somebody waits for before those in the background.
 */
export class Turns {
  #free: number;
  readonly #waiting: Record<Priority, Set<Waiter>> = {
    foreground: new Set(),
    background: new Set(),
  };

  constructor(limit: number) {
    this.#free = limit;
  }

  /**
   * Wait for a turn.
   * @returns what gives it back; calling that again does nothing
   * @throws StoreError `Aborted` when `signal` fires first
   */
  async take(priority: Priority, signal?: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else await this.#wait(this.#waiting[priority], signal);
    let isHeld = true;
    return () => {
      if (isHeld) this.#giveBack();
      isHeld = false;
    };
  }

  #wait(queue: Set<Waiter>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        queue.delete(waiter);
        const message = 'The request was aborted while it waited for others to end.';
        reject(new StoreError('Aborted', message, { cause: signal?.reason }));
      };
      const waiter = {
        begin: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      queue.add(waiter);
      if (signal?.aborted === true) leave();
      else signal?.addEventListener('abort', leave, { once: true });
    });
  }

  #giveBack(): void {
    for (const queue of [this.#waiting.foreground, this.#waiting.background]) {
      for (const first of queue) {
        queue.delete(first);
        first.begin();
        return;
      }
    }
    this.#free++;
  }
}
