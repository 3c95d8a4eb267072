import type { Counters } from '../../observe/counters.js';
import type { Log } from '../../observe/log.js';
import { StoreError } from '../../store/errors.js';
import { InventoryFile } from './inventory-file.js';
import type { Inventory } from './inventory.js';
import { takeInventory, type TakeInventoryOptions } from './take-inventory.js';

/** The log tells of a running listing this often, ms. */
const PROGRESS_INTERVAL = 5000;
/** A listing may run for at most one part in this many of the time. */
const REST_FACTOR = 20;

export interface FlatInventoryOptions extends Pick<
  TakeInventoryOptions,
  'store' | 'root' | 'rules'
> {
  readonly stateDir: string;
  /** An inventory younger than this is not taken again, ms. */
  readonly refreshMs: number;
  readonly log: Log;
  readonly counters: Counters;
  /** Ends a running listing: the registry is closed. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The inventory of one store, taken by a flat LIST when somebody needs it and not before. One
 * listing runs at a time and serves all who wait; a caller who gives up leaves it running.
 */
export class FlatInventory {
  readonly #options: FlatInventoryOptions;
  readonly #file: InventoryFile;
  readonly #watchers = new Set<(keys: number) => void>();
  #loading: Promise<void> | undefined;
  #running: Promise<Inventory> | undefined;
  #current: Inventory | undefined;
  #distrusted: Inventory | undefined;
  #failure: { readonly error: Error; readonly at: number } | undefined;

  constructor(options: FlatInventoryOptions) {
    this.#options = options;
    this.#file = new InventoryFile(options.stateDir, options.store.name, options.root);
  }

  /** The inventory taken last, however old; undefined before the first. No request is made. */
  get current(): Inventory | undefined {
    return this.#current;
  }

  /** The inventory taken last is known to be wrong somewhere. */
  distrust(): void {
    this.#distrusted = this.#current;
  }

  /** Whether `inventory` is too young to be taken again. */
  isFresh(inventory: Inventory): boolean {
    const { refreshMs } = this.#options;
    const rest = REST_FACTOR * inventory.durationMs;
    const age = Date.now() - inventory.finishedAt;
    if (inventory === this.#distrusted) return age >= 0 && age < rest;
    // A clock that was set back must not make an old inventory young for ever.
    return age >= 0 && age < Math.max(refreshMs, rest);
  }

  /** Read the inventory kept on disk, once. Answers whether this call brought one. */
  async load(): Promise<boolean> {
    if (this.#loading !== undefined) {
      await this.#loading;
      return false;
    }
    this.#loading = this.#load();
    await this.#loading;
    return this.#current !== undefined;
  }

  /**
   * A fresh inventory, listing the store if need be. With `survey` it has one.
   * @throws StoreError of the listing, and (`Aborted`) when `signal` aborts first.
   */
  async fresh(options: {
    readonly survey?: boolean;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((keys: number) => void) | undefined;
  }): Promise<Inventory> {
    const { survey = false, signal, onProgress } = options;
    await this.load();
    const current = this.#current;
    if (current !== undefined && this.isFresh(current) && (!survey || current.survey)) {
      return current;
    }
    if (onProgress !== undefined) this.#watchers.add(onProgress);
    try {
      return await unlessAborted(this.#take(), signal);
    } finally {
      if (onProgress !== undefined) this.#watchers.delete(onProgress);
    }
  }

  async #load(): Promise<void> {
    try {
      this.#current = await this.#file.read();
    } catch (error) {
      const { log, store } = this.#options;
      log.warn(
        { store: store.name, error: String(error) },
        'The kept list of blob places is damaged; the store is listed again when it is needed.',
      );
    }
  }

  #take(): Promise<Inventory> {
    if (this.#running !== undefined) return this.#running;
    const failure = this.#failure;
    if (failure !== undefined && Date.now() - failure.at < this.#options.refreshMs) {
      return Promise.reject(failure.error);
    }
    const running = this.#list().finally(() => {
      this.#running = undefined;
    });
    // Whoever waits sees the failure; when everybody left, nobody does, and that is no crash.
    running.catch((error: unknown) => {
      this.#failure = { error: error as Error, at: Date.now() };
    });
    this.#running = running;
    return running;
  }

  async #list(): Promise<Inventory> {
    const { store, root, rules, log, counters, signal } = this.#options;
    counters.increment('registry.flatList');
    log.info({ store: store.name, root }, 'Listing the whole store to find where blobs are.');
    let toldAt = Date.now();
    const onProgress = (keys: number): void => {
      for (const watcher of this.#watchers) watcher(keys);
      if (Date.now() - toldAt < PROGRESS_INTERVAL) return;
      toldAt = Date.now();
      log.info({ store: store.name, keys }, `Still listing the store: ${keys} keys so far.`);
    };
    const inventory = await takeInventory({ store, root, rules, signal, onProgress });
    this.#current = inventory;
    this.#failure = undefined;
    const { keys = 0, ignored = 0, lost = [] } = inventory.survey ?? {};
    counters.increment('registry.ignoredKeys', ignored);
    log.info(
      { store: store.name, keys, copies: inventory.copies.size, ms: inventory.durationMs },
      `Listed ${keys} keys of the store.`,
    );
    if (lost.length > 0) {
      log.warn(
        { store: store.name, lost: lost.length, digests: lost.slice(0, 20).map((l) => l.digest) },
        `The registry has lost ${lost.length} blobs: only zero-byte placeholders of them are stored.`,
      );
    }
    await this.#keep(inventory);
    return inventory;
  }

  async #keep(inventory: Inventory): Promise<void> {
    try {
      await this.#file.write(inventory);
    } catch (error) {
      this.#options.log.warn(
        { error: String(error) },
        'The list of blob places could not be kept on disk; check that the state directory is writable.',
      );
    }
  }
}

/** `work`, or a rejection as soon as `signal` aborts; `work` goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const stopWaiting = new AbortController();
  const aborted = (): Promise<never> =>
    Promise.reject(
      new StoreError(
        'Aborted',
        'Gave up waiting for the listing of the store; it goes on in the background.',
        { cause: signal.reason },
      ),
    );
  if (signal.aborted) return aborted();
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => void aborted().catch(reject), {
          once: true,
          signal: stopWaiting.signal,
        });
      }),
    ]);
  } finally {
    stopWaiting.abort();
  }
}
