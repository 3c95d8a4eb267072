import type { ObjectStore } from '../../store/object-store.js';
import { isStoreError } from '../../store/errors.js';
import { readDirectory, type Directory, type SeenDirectories } from '../directory.js';

/** Detection must cost the same for ten repositories and for ten thousand. */
const MAX_LISTS = 10;
/** Some servers take long over a full page of directories, and these are enough to judge by. */
const NAMES = 200;

/**
 * First pages of directories, each listed once, at most ten in all. Every question of detection is
 * answered from these; an answer of undefined means that the budget is spent.
 */
export class FirstPages {
  readonly #pages = new Map<string, Directory>();
  readonly #whole: SeenDirectories = new Map();
  #left = MAX_LISTS;

  constructor(
    private readonly store: ObjectStore,
    private readonly signal?: AbortSignal,
  ) {}

  /** LIST requests that may still be made. */
  get left(): number {
    return this.#left;
  }

  /**
   * The first page of the directory at `prefix`, only of names that begin with `startingWith`.
   * Undefined when it was not listed yet and no more than `reserve` requests are left.
   * @throws StoreError
   */
  async read(
    prefix: string,
    { startingWith = '', reserve = 0 }: { startingWith?: string; reserve?: number } = {},
  ): Promise<Directory | undefined> {
    const known = this.#pages.get(prefix + startingWith);
    if (known !== undefined) return known;
    if (this.#left <= reserve) return undefined;
    this.#left -= 1;
    const at = performance.now();
    const page = await readDirectory(this.store, prefix, {
      firstNames: NAMES,
      startingWith,
      signal: this.signal,
    });
    this.#pages.set(prefix + startingWith, page);
    if (startingWith === '' && page.complete) this.#whole.set(prefix, { directory: page, at });
    return page;
  }

  /** The directories of which the first page showed everything. */
  get whole(): SeenDirectories {
    return this.#whole;
  }

  /** The first page of the directory at `prefix` if it was listed already. */
  known(prefix: string): Directory | undefined {
    return this.#pages.get(prefix);
  }

  /** Whether the store lets us list `prefix` at all. */
  async mayList(prefix: string): Promise<boolean> {
    try {
      await this.read(prefix);
      return true;
    } catch (error) {
      if (isStoreError(error, 'AccessDenied')) return false;
      throw error;
    }
  }
}

/** Whether nothing was found: a marker object for the directory itself is nothing. */
export function isEmptyPage(page: Directory): boolean {
  return page.directories.length === 0 && [...page.objects.keys()].every((name) => name === '');
}
