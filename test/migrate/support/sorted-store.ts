import { MemoryStore } from '../../support/memory-store.js';
import type { ListOptions, ListPage } from '../../../src/store/object-store.js';
import type { WritableObjectStore } from '../../../src/store/object-store.js';

/**
 * A bucket in memory that does not change, with its keys sorted once: for as many as a large registry
 * has. Writing fails.
 */
export class SortedStore extends MemoryStore implements WritableObjectStore {
  readonly #keys: readonly string[];
  override readonly capabilities = {
    conditionalGet: true,
    serverSideCopy: true,
    conditionalWrite: false,
    copyChecksum: false,
    largestCopy: 0,
    copyPart: 1,
  };

  constructor(objects: Readonly<Record<string, string>>) {
    super(objects);
    this.#keys = [...this.objects.keys()].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
  }

  override async list(options: ListOptions): Promise<ListPage> {
    const { prefix, delimiter, token, limit = 1000 } = options;
    if (delimiter !== undefined) return super.list(options);
    const from = token === undefined ? 0 : Number(token);
    const matching =
      prefix === '' ? this.#keys : this.#keys.filter((key) => key.startsWith(prefix));
    const page = matching.slice(from, from + limit);
    const next = from + limit < matching.length ? { next: `${from + limit}` } : {};
    const objects = page.map((key) => ({ key, size: this.objects.get(key)?.length ?? 0 }));
    return Promise.resolve({ objects, prefixes: [], ...next });
  }

  put = refuse;
  putIfAbsent = refuse;
  delete = refuse;
  deleteMany = refuse;
  copy = refuse;
  uploads = refuse;
  abortUpload = refuse;
}

function refuse(): Promise<never> {
  return Promise.reject(new Error('This bucket does not change.'));
}
