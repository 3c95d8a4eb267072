import { LRUCache } from 'lru-cache';
import type { Log } from '../observe/log.js';
import { inspectOciLayout } from '../oci/layout.js';
import type { Registry, StoredDocument } from '../registry/registry.js';

/** Documents remembered; they are about 30 bytes each. */
const MAX_DOCUMENTS = 10_000;

/** Larger ones would not be `oci-layout` files; they are read but not remembered. */
const MAX_REMEMBERED_BYTES = 4096;

interface Remembered {
  readonly document: StoredDocument | undefined;
  readonly at: number;
}

/** The `oci-layout` files of repositories, read again when older than the refresh interval. */
export class LayoutFiles {
  readonly #registry: Registry;
  readonly #refreshMs: number;
  readonly #log: Log;
  readonly #files = new LRUCache<string, Remembered>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: MAX_DOCUMENTS,
    sizeCalculation: () => 1,
  });

  constructor(options: { registry: Registry; refreshMs: number; log: Log }) {
    this.#registry = options.registry;
    this.#refreshMs = options.refreshMs;
    this.#log = options.log;
  }

  /** The document; an older one only when the store fails. @throws StoreError */
  async read(repository: string): Promise<StoredDocument | undefined> {
    const known = this.#files.get(repository);
    if (known && performance.now() - known.at < this.#refreshMs) return known.document;
    try {
      const document = await this.#registry.readOciLayout(repository);
      this.#remember(repository, document, known);
      return document;
    } catch (error) {
      if (!known?.document) throw error;
      return known.document;
    }
  }

  #remember(repository: string, document: StoredDocument | undefined, known?: Remembered): void {
    const problem = document && inspectOciLayout(document.bytes);
    if (problem !== undefined && !known) {
      this.#log.warn({ repository, problem }, 'oci-layout is unusual; it is served as stored.');
    }
    if ((document?.bytes.byteLength ?? 0) > MAX_REMEMBERED_BYTES) return;
    this.#files.set(repository, { document, at: performance.now() });
  }
}
