/** Entries that a ring has room for. */
export const RING_CAPACITY = 2 ** 15;

const WRITTEN = 0;
const READ = 1;
const FIRST = 2;

/** Memory for a {@link ToldRing}. */
export function makeRing(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4 * (FIRST + 2 * RING_CAPACITY)));
}

/**
 * Which entries a serving thread has told the kernel: a queue in shared memory from one thread to the
 * main thread. An entry is in it before the kernel has the answer, so whatever the kernel asks or
 * says about its inode afterwards, to whichever thread, the main thread can know of it first.
 */
export class ToldRing {
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(cells: Int32Array<SharedArrayBuffer>) {
    this.#cells = cells;
  }

  /** Entries that the main thread has not taken out yet. */
  get length(): number {
    return (Atomics.load(this.#cells, WRITTEN) - Atomics.load(this.#cells, READ)) | 0;
  }

  /**
   * Put an entry in; by the serving thread only.
   * @param id of the {@link KnownNames}
   * @param index of the entry there; its complement (`~index`) takes it back
   * @returns false if the ring is full
   */
  push(id: number, index: number): boolean {
    if (this.length >= RING_CAPACITY) return false;
    const written = Atomics.load(this.#cells, WRITTEN);
    const cell = FIRST + 2 * (written & (RING_CAPACITY - 1));
    this.#cells[cell] = id;
    this.#cells[cell + 1] = index;
    Atomics.store(this.#cells, WRITTEN, (written + 1) | 0);
    return true;
  }

  /** Take all out; by the main thread only. */
  drain(take: (id: number, index: number) => void): void {
    while (this.length > 0) {
      const read = Atomics.load(this.#cells, READ);
      const cell = FIRST + 2 * (read & (RING_CAPACITY - 1));
      const id = this.#cells[cell] ?? 0;
      const index = this.#cells[cell + 1] ?? 0;
      Atomics.store(this.#cells, READ, (read + 1) | 0);
      take(id, index);
    }
  }
}
