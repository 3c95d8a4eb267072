import { type FileHandle, open } from 'node:fs/promises';
import { type Fingerprint, fingerprintOf } from './fingerprint.js';
import type { HasherThread } from './hasher-thread.js';
import {
  ABSENT,
  ENTRY_BYTES,
  HASHED,
  HASH_BYTES,
  HEADER_BYTES,
  type PartialGeometry,
  trailerBytes,
  trailerHeader,
  WRITTEN,
} from './partial-trailer.js';
import { openPlainFile, readFully, writeFully } from './plain-file.js';
import { WatchedFile } from './watched-file.js';

/**
 * The file of a partial blob: the blob's bytes, sparse, then a trailer that says which parts are
 * there. The trailer follows the bytes so that cutting it off makes the file the plain blob.
 *
 * An entry is written after its part, so the trailer is right whenever the process dies. It may lie
 * after a loss of power, or when somebody else wrote to the file: so a part that an earlier run left
 * is used only after it was found to have the hash in its entry, and one without is not used.
 */

/** A part left by an earlier run, with a hash that was not compared yet. */
const LEFT = 3;

/** Parts of a blob in a file. */
export class PartialFile {
  readonly partSize: number;
  readonly #file: WatchedFile;
  readonly #size: number;
  readonly #hasher: HasherThread;
  readonly #states: Uint8Array;
  readonly #hashes: Buffer;
  #isStrange = false;
  readonly #checks = new Map<number, Promise<boolean>>();

  private constructor(
    file: FileHandle,
    { size, partSize }: PartialGeometry,
    hasher: HasherThread,
    entries?: Buffer,
  ) {
    const parts = Math.ceil(size / partSize);
    this.#file = new WatchedFile(file, () => this.#distrust());
    this.#size = size;
    this.partSize = partSize;
    this.#hasher = hasher;
    this.#states = new Uint8Array(parts);
    this.#hashes = Buffer.alloc(parts * HASH_BYTES);
    for (let index = 0; entries !== undefined && index < parts; index++) {
      const at = index * ENTRY_BYTES;
      if (entries[at] !== HASHED) continue;
      this.#states[index] = LEFT;
      entries.copy(this.#hashes, index * HASH_BYTES, at + 1, at + ENTRY_BYTES);
    }
  }

  /**
   * Make a new file at `path`, without parts.
   * @throws system errors; EEXIST when there is one
   */
  static async create(path: string, geometry: PartialGeometry, hasher: HasherThread) {
    const file = await open(path, 'wx+', 0o600);
    try {
      await file.truncate(geometry.size + trailerBytes(geometry));
      await writeFully(file, trailerHeader(geometry), geometry.size);
      return new PartialFile(file, geometry, hasher);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Open what an earlier run left; undefined when it is worth nothing.
   * @throws system errors
   */
  static async adopt(path: string, geometry: PartialGeometry, hasher: HasherThread) {
    const found = await openPlainFile(path, { writable: true });
    if (typeof found === 'string') return undefined;
    const { file, stat } = found;
    try {
      const trailer = Buffer.alloc(trailerBytes(geometry));
      if (Number(stat.size) === geometry.size + trailer.length) {
        await readFully(file, trailer, geometry.size);
        if (trailer.subarray(0, HEADER_BYTES).equals(trailerHeader(geometry))) {
          return new PartialFile(file, geometry, hasher, trailer.subarray(HEADER_BYTES));
        }
      }
      await file.close();
      return undefined;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  /** Parts of the blob. */
  get parts(): number {
    return this.#states.length;
  }

  /** Whether a part is there, or was left by an earlier run and may well be right. */
  has(index: number): boolean {
    return (this.#states[index] ?? ABSENT) !== ABSENT;
  }

  /** Somebody else has written to it in this run, as far as was seen. */
  get isStrange(): boolean {
    return this.#isStrange;
  }

  get isEmpty(): boolean {
    return this.#states.every((state) => state === ABSENT);
  }

  /**
   * Whether every part was written, or read and found right, in this run, and nobody else has
   * written to the file since.
   * @throws system errors
   */
  async isWhole(): Promise<boolean> {
    await this.#file.look();
    return this.#states.every((state) => state === WRITTEN || state === HASHED);
  }

  /** @throws Error when a part is not there or was damaged, and system errors */
  async read(target: Uint8Array, position: number): Promise<void> {
    const end = position + target.length;
    for (let index = Math.floor(position / this.partSize); index * this.partSize < end; index++) {
      if (!(await this.#isGood(index))) throw new Error(`Part ${index} is not in the cache.`);
    }
    await readFully(this.#file.handle, target, position);
  }

  /**
   * Write whole parts, the first of them `index`.
   * @returns the index after the last one
   * @throws system errors
   */
  async write(index: number, bytes: Uint8Array): Promise<number> {
    const end = index + Math.ceil(bytes.length / this.partSize);
    await this.#file.change(async (file) => {
      await writeFully(file, bytes, index * this.partSize);
      await this.#enter(file, index, end, WRITTEN);
    });
    return end;
  }

  /**
   * Take the hash of a part, so that a later run may use it.
   * @throws system errors
   */
  async seal(index: number): Promise<void> {
    if (this.#states[index] !== WRITTEN) return;
    const hash = await this.#hash(index);
    if (hash === undefined) return;
    await this.#file.change(async (file) => {
      // Nobody else has changed it up to now, so the hash is that of what was written.
      if (this.#states[index] !== WRITTEN) return;
      hash.copy(this.#hashes, index * HASH_BYTES);
      await this.#enter(file, index, index + 1, HASHED);
    });
  }

  /** Indexes of parts that a later run could not use. */
  unsealed(): number[] {
    return [...this.#states.keys()].filter((index) => this.#states[index] === WRITTEN);
  }

  /**
   * Make the file the plain blob, on the disk for good. It is no partial file afterwards.
   * @throws system errors
   */
  async finish(): Promise<void> {
    await this.#file.change((file) => file.truncate(this.#size));
    await this.#file.handle.chmod(0o400);
    await this.#file.handle.sync();
  }

  /**
   * The fingerprint of the finished file.
   * @throws Error when somebody else has changed it since the caller knew its bytes, and system errors
   */
  async fingerprint(): Promise<Fingerprint> {
    await this.#file.look();
    if (this.#isStrange) throw new Error('Somebody else has written to the file.');
    return fingerprintOf(await this.#file.handle.stat({ bigint: true }));
  }

  /**
   * Show that it is being written.
   * @throws system errors
   */
  touch(): Promise<void> {
    const now = Date.now() / 1000;
    return this.#file.change((file) => file.utimes(now, now));
  }

  close(): Promise<void> {
    return this.#file.handle.close();
  }

  /** Somebody else has written to it: what this run wrote is no better than what it found. */
  #distrust(): void {
    this.#isStrange = true;
    for (const [index, state] of this.#states.entries()) {
      if (state === WRITTEN) this.#states[index] = ABSENT;
      else if (state === HASHED) this.#states[index] = LEFT;
    }
  }

  async #isGood(index: number): Promise<boolean> {
    const state = this.#states[index] ?? ABSENT;
    if (state !== LEFT) return state !== ABSENT;
    let check = this.#checks.get(index);
    if (check === undefined) {
      check = this.#check(index).finally(() => this.#checks.delete(index));
      this.#checks.set(index, check);
    }
    return check;
  }

  async #check(index: number): Promise<boolean> {
    const hash = await this.#hash(index);
    const at = index * HASH_BYTES;
    const right = hash?.equals(this.#hashes.subarray(at, at + HASH_BYTES)) === true;
    if (this.#states[index] === LEFT) this.#states[index] = right ? HASHED : ABSENT;
    return this.has(index);
  }

  async #hash(index: number): Promise<Buffer | undefined> {
    const offset = index * this.partSize;
    const digest = await this.#hasher.hash({
      fd: this.#file.handle.fd,
      algorithm: 'sha256',
      offset,
      length: Math.min(this.partSize, this.#size - offset),
    });
    return digest && Buffer.from(digest.slice('sha256:'.length), 'hex');
  }

  /** Write the entries of parts from `index` to before `end`. */
  async #enter(file: FileHandle, index: number, end: number, state: number): Promise<void> {
    const entries = Buffer.alloc((end - index) * ENTRY_BYTES);
    for (let part = index; part < end; part++) {
      const at = (part - index) * ENTRY_BYTES;
      entries[at] = state;
      if (state !== HASHED) continue;
      this.#hashes.copy(entries, at + 1, part * HASH_BYTES, (part + 1) * HASH_BYTES);
    }
    await writeFully(file, entries, this.#size + HEADER_BYTES + index * ENTRY_BYTES);
    this.#states.fill(state, index, end);
  }
}
