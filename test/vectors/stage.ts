import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalStore } from '../../src/store/local/local-store.js';
import { MemoryStore } from '../support/memory-store.js';
import { TamperingStore } from '../support/tampering-store.js';
import { TreeView } from '../support/tree-view.js';
import { checkView, type Order, type Stored } from './check-view.js';
import type { Expectation, Row, Scene } from './row.js';
import type { Keys } from './vocabulary.js';

/** The keys of one row in a store, and a view of them. */
export class Stage implements Scene {
  readonly store: TamperingStore;
  readonly directory: string;
  readonly #row: Row;
  readonly #bucket: LocalStore | MemoryStore;
  readonly #objects = new Map<string, Uint8Array>();
  #view: TreeView | undefined;

  private constructor(row: Row, directory: string) {
    this.#row = row;
    this.directory = directory;
    this.#bucket =
      row.store === 'memory'
        ? new MemoryStore({}, 'vectors')
        : new LocalStore({ kind: 'file', root: join(directory, 'bucket'), prefix: '' });
    this.store = new TamperingStore(this.#bucket, row.capabilities);
  }

  /** Store the keys of a row; nothing is opened yet. */
  static async set(row: Row): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'layoutfs-vector-'));
    const stage = new Stage(row, directory);
    await mkdir(join(directory, 'bucket'));
    await stage.put(row.keys);
    row.faults?.(stage.store);
    return stage;
  }

  get source(): string {
    return `file://${join(this.directory, 'bucket')}`;
  }

  get view(): TreeView {
    if (this.#view === undefined) throw new Error('The row was not opened yet.');
    return this.#view;
  }

  /** Open the source as a mount does. */
  async open(): Promise<TreeView> {
    const { prefix = '', options, zotConfig } = this.#row;
    if (zotConfig === undefined) {
      this.#view = await TreeView.over(this.store, prefix, options);
    } else {
      const path = join(this.directory, 'config.json');
      await writeFile(path, zotConfig(join(this.directory, 'bucket')));
      this.#view = await TreeView.open(undefined, { ...options, zotConfig: path });
    }
    return this.#view;
  }

  async close(): Promise<void> {
    await this.#view?.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async change(key: string, body: Uint8Array | undefined): Promise<void> {
    if (body === undefined) this.#objects.delete(key);
    else this.#objects.set(key, body);
    if (this.#bucket instanceof MemoryStore) {
      if (body === undefined) this.#bucket.objects.delete(key);
      else this.#bucket.objects.set(key, Buffer.from(body));
      return;
    }
    // Written past the store, as another program would.
    const path = join(this.directory, 'bucket', key);
    if (body === undefined) return rm(path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, body);
    await rename(`${path}.new`, path);
  }

  async put(keys: Keys): Promise<void> {
    for (const [key, body] of Object.entries(keys)) await this.change(key, body);
  }

  check(expectation: Expectation, order?: Order): Promise<void> {
    return checkView(this.view, expectation, this.stored, order);
  }

  async eventually(expectation: Expectation, ms = 5000): Promise<void> {
    const end = performance.now() + ms;
    for (;;) {
      try {
        await this.check(expectation);
        return;
      } catch (error) {
        if (performance.now() > end) throw error;
        await sleep(50);
      }
    }
  }

  /** Placeholders among the keys: without them nothing justifies a flat listing. */
  get hasPlaceholders(): boolean {
    return [...this.#objects].some(
      ([key, body]) => body.length === 0 && /\/blobs\/[^/]+\/[^/]+$/.test(key),
    );
  }

  readonly stored: Stored = (repository, name) => {
    const { root = '', keyOf } = this.#row;
    const path = repository === '' ? name : `${repository}/${name}`;
    return this.#objects.get(keyOf === undefined ? root + path : keyOf(path));
  };
}
