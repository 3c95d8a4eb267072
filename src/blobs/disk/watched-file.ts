import type { FileHandle } from 'node:fs/promises';

type Change = (file: FileHandle) => Promise<unknown>;

/**
 * A file that only we should change. The mtime tells whether somebody else has changed it since our
 * last change: it is looked at before our changes and after them, and those that come meanwhile are
 * made together the next time.
 */
export class WatchedFile {
  readonly handle: FileHandle;
  readonly #strangers: () => void;
  /** Nanoseconds since the epoch, after our last change. */
  #mtime: bigint | undefined;
  #changing: Promise<void> = Promise.resolve();
  #next:
    | { readonly works: Change[]; readonly made: Promise<PromiseSettledResult<unknown>[]> }
    | undefined;

  /** @param strangers called when somebody else has changed the file */
  constructor(handle: FileHandle, strangers: () => void) {
    this.handle = handle;
    this.#strangers = strangers;
  }

  /**
   * Change the file, beside others who want to change another part of it, when all earlier changes
   * are made.
   * @throws what `work` throws, and system errors
   */
  async change<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    this.#next ??= this.#plan();
    const index = this.#next.works.push(work) - 1;
    const made = (await this.#next.made)[index];
    if (made?.status === 'fulfilled') return made.value as T;
    throw made?.reason;
  }

  #plan() {
    const works: Change[] = [];
    const made = this.#changing.then(async () => {
      this.#next = undefined;
      await this.#look();
      const results = await Promise.allSettled(works.map((work) => work(this.handle)));
      this.#mtime = await this.#now();
      return results;
    });
    this.#changing = made.then(
      () => undefined,
      () => undefined,
    );
    return { works, made };
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
