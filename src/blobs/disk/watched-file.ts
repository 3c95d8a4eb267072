import type { FileHandle } from 'node:fs/promises';

/**
 * A file that only we should change. Our changes are made one after the other, and before each of
 * them the mtime tells whether somebody else changed it since the last one.
 */
export class WatchedFile {
  readonly handle: FileHandle;
  readonly #strangers: () => void;
  /** Nanoseconds since the epoch, after our last change. */
  #mtime: bigint | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  /** @param strangers called when somebody else has changed the file */
  constructor(handle: FileHandle, strangers: () => void) {
    this.handle = handle;
    this.#strangers = strangers;
  }

  /**
   * Change the file, when all earlier changes are made.
   * @throws what `work` throws, and system errors
   */
  change<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    const changed = this.#changing.then(async () => {
      await this.#look();
      try {
        return await work(this.handle);
      } finally {
        this.#mtime = await this.#now();
      }
    });
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  /**
   * Find out whether somebody else has changed the file, when all changes are made.
   * @throws system errors
   */
  async look(): Promise<void> {
    await this.#changing;
    await this.#look();
  }

  async #look(): Promise<void> {
    const now = await this.#now();
    const isStrange = this.#mtime !== undefined && this.#mtime !== now;
    this.#mtime = now;
    if (isStrange) this.#strangers();
  }

  async #now(): Promise<bigint> {
    return (await this.handle.stat({ bigint: true })).mtimeNs;
  }
}
