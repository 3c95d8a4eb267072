import { LRUCache } from 'lru-cache';

/**
 * Parts of blobs in memory, keyed by content (scope, digest, size) and part index; least recently
 * used ones go first when the byte budget is spent. Each part is fetched once at a time, whoever
 * asks (single flight).
 */
export class PartCache {
  readonly #parts: LRUCache<string, CachedPart>;
  readonly #fetching = new Map<string, Promise<Uint8Array>>();

  constructor(memoryBytes: number) {
    this.#parts = new LRUCache({
      maxSize: Math.max(1, memoryBytes),
      sizeCalculation: ({ bytes }) => bytes.byteLength + 200,
    });
  }

  /** The part, when it is in memory. */
  peek(content: string, index: number): Uint8Array | undefined {
    return this.#parts.get(key(content, index))?.bytes;
  }

  /** The part from memory, from a fetch under way, or from `fetch`. */
  get(content: string, index: number, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = this.peek(content, index);
    if (known) return Promise.resolve(known);
    return this.#fetching.get(key(content, index)) ?? this.start(content, index, fetch());
  }

  /** Enter a fetch that is already under way. Its failure is the waiters' to see, nobody else's. */
  start(content: string, index: number, fetching: Promise<Uint8Array>): Promise<Uint8Array> {
    const name = key(content, index);
    const entered = fetching.then(
      (bytes) => {
        if (this.#fetching.get(name) === entered) {
          this.#fetching.delete(name);
          this.#parts.set(name, { bytes, fetchedAt: performance.now() });
        }
        return bytes;
      },
      (error: unknown) => {
        if (this.#fetching.get(name) === entered) this.#fetching.delete(name);
        throw error;
      },
    );
    entered.catch(() => undefined);
    this.#fetching.set(name, entered);
    return entered;
  }

  /** Forget one part, also a fetch under way (its waiters still get its bytes). */
  drop(content: string, index: number): void {
    this.#fetching.delete(key(content, index));
    this.#parts.delete(key(content, index));
  }

  /**
   * Forget all parts of a content. `count` is how many it claims to have, which may be a lie.
   */
  dropAll(content: string, count: number): void {
    for (const index of this.#indexes(content, count)) this.drop(content, index);
  }

  /** Forget the parts of a content that were fetched more than `ms` ago. */
  dropOlder(content: string, count: number, ms: number): void {
    const before = performance.now() - ms;
    for (const index of this.#indexes(content, count)) {
      const part = this.#parts.peek(key(content, index));
      if (part && part.fetchedAt < before) this.drop(content, index);
    }
  }

  /** Indexes under which a content may have parts here; a claimed size must not keep us busy. */
  #indexes(content: string, count: number): Iterable<number> {
    if (count <= 1000) return Array(count).keys();
    const prefix = key(content, '');
    return [...this.#parts.keys(), ...this.#fetching.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)));
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#parts.calculatedSize;
  }
}

interface CachedPart {
  readonly bytes: Uint8Array;
  /** Milliseconds, monotonic. */
  readonly fetchedAt: number;
}

function key(content: string, index: number | ''): string {
  return `${content}#${index}`;
}
