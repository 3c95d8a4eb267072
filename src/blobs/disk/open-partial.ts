import { rename } from 'node:fs/promises';
import type { CachedBlob, ContentName, PartialBlob } from '../disk-cache.js';
import { removeFile } from './evict.js';
import type { PartialFile } from './partial-file.js';
import type { Space } from './space.js';
import type { Trouble } from './trouble.js';
import type { Counters } from '../../observe/counters.js';

/**
 * How long after a part was written its hash is taken, in ms. Blobs that are complete by then need
 * none, and to hash each byte twice would slow down whoever reads; what a process that is killed
 * has written since is fetched again.
 */
const SEAL_AFTER_MS = 60_000;

/** How long closing waits for hashes, in ms; parts without one are fetched again. */
const LAST_SEALS_MS = 2000;

export interface OpenPartialOptions {
  readonly name: ContentName;
  readonly file: PartialFile;
  /** Of the file while this process writes it. */
  readonly path: string;
  /** Of the file when nobody does. */
  readonly freePath: string;
  readonly space: Space;
  readonly trouble: Trouble;
  readonly counters: Counters;
  /** Make the file the complete blob. */
  publish(partial: OpenPartial): Promise<CachedBlob | undefined>;
  /** It is closed. */
  closed(): void;
}

/** A partial blob that this process writes. */
export class OpenPartial implements PartialBlob {
  readonly name: ContentName;
  readonly file: PartialFile;
  readonly path: string;
  readonly #options: OpenPartialOptions;
  readonly #working = new Set<Promise<unknown>>();
  #sealing: NodeJS.Timeout;
  #reserved = 0;
  /** Parts written since the hashes of older ones were last taken. */
  #fresh = new Set<number>();
  #older = new Set<number>();
  #ending: Promise<unknown> | undefined;
  /** It is being closed, and nothing has happened yet that could not be undone. */
  #isUndoable = false;
  #isWanted = false;

  constructor(options: OpenPartialOptions) {
    this.name = options.name;
    this.file = options.file;
    this.path = options.path;
    this.#options = options;
    this.#sealing = this.#sealNowAndThen();
  }

  /**
   * Open it again while it is being closed, or wait until it is closed.
   * @returns whether it is open, for whoever asked
   */
  async reopen(): Promise<boolean> {
    const isFirst = this.#isUndoable && !this.#isWanted;
    if (isFirst) this.#isWanted = true;
    await this.#ending;
    return isFirst;
  }

  get partSize(): number {
    return this.file.partSize;
  }

  has(index: number): boolean {
    return this.#ending === undefined && this.file.has(index);
  }

  read(target: Uint8Array, position: number): Promise<void> {
    return this.#work(async () => {
      await this.file.read(target, position);
      this.#options.counters.increment('cache.bytesRead', target.length);
    });
  }

  async write(index: number, bytes: Uint8Array): Promise<boolean> {
    const { space, trouble, counters } = this.#options;
    if (this.#ending !== undefined || !trouble.mayWrite) return false;
    try {
      return await this.#work(async () => {
        if (!(await space.reserve(bytes.length))) {
          trouble.noRoom();
          return false;
        }
        this.#reserved += bytes.length;
        const end = await this.file.write(index, bytes);
        for (let part = index; part < end; part++) this.#fresh.add(part);
        counters.increment('cache.bytesWritten', bytes.length);
        trouble.worked();
        return true;
      });
    } catch (error) {
      trouble.writeFailed(error);
      return false;
    }
  }

  async complete(): Promise<CachedBlob | undefined> {
    const { trouble, counters } = this.#options;
    if (this.#ending !== undefined) return undefined;
    return this.#end(async () => {
      try {
        if (!(await this.file.isWhole())) {
          if (this.file.isStrange) counters.increment('cache.damaged');
          await this.#sealLast(() => true);
          await this.#leave();
          return undefined;
        }
        const blob = await this.#options.publish(this);
        counters.increment('cache.completed');
        trouble.worked();
        return blob;
      } catch (error) {
        // After a failed fsync nobody knows what is on the disk.
        trouble.writeFailed(error);
        await this.#remove();
        return undefined;
      } finally {
        await this.file.close();
      }
    });
  }

  async discard(): Promise<void> {
    await this.#end(async () => {
      await this.#remove();
      await this.file.close();
    });
  }

  async close(): Promise<void> {
    if (this.#ending === undefined) this.#isUndoable = true;
    await this.#end(async () => {
      await this.#sealLast(() => !this.#isWanted);
      this.#isUndoable = false;
      if (!this.#isWanted) return this.#leave();
      this.#isWanted = false;
      this.#sealing = this.#sealNowAndThen();
      return 'open';
    });
  }

  /** Say to other processes that it is being written. */
  renew(): void {
    void this.#work(() => this.file.touch()).catch(() => undefined);
  }

  /** Take the hashes that are missing, as far as there is time. */
  async #sealLast(goOn: () => boolean): Promise<void> {
    const until = performance.now() + LAST_SEALS_MS;
    try {
      await this.#seal(this.file.unsealed(), () => performance.now() < until && goOn());
    } catch (error) {
      this.#options.trouble.writeFailed(error);
    }
  }

  /** Let the next one go on with it. */
  async #leave(): Promise<void> {
    try {
      if (this.file.isEmpty) await this.#remove();
      else await rename(this.path, this.#options.freePath);
    } catch (error) {
      this.#options.trouble.writeFailed(error);
    } finally {
      await this.file.close().catch(() => undefined);
    }
  }

  async #remove(): Promise<void> {
    try {
      await removeFile(this.path);
      this.#options.space.release(this.#reserved);
    } catch (error) {
      this.#options.trouble.writeFailed(error);
    }
  }

  #sealNowAndThen(): NodeJS.Timeout {
    return setInterval(() => void this.#sealOlder(), SEAL_AFTER_MS).unref();
  }

  async #sealOlder(): Promise<void> {
    const older = this.#older;
    this.#older = this.#fresh;
    this.#fresh = new Set();
    // A disk that fails here fails the next write too, which tells.
    await this.#work(() => this.#seal(older, () => this.#ending === undefined)).catch(
      () => undefined,
    );
  }

  async #seal(indexes: Iterable<number>, goOn: () => boolean): Promise<void> {
    for (const index of indexes) {
      if (!goOn()) return;
      await this.file.seal(index);
    }
  }

  /** Run `end` once, after all that is under way; with the answer `open` it was not the end. */
  #end<T>(end: () => Promise<T>): Promise<T | undefined> {
    if (this.#ending !== undefined) return this.#ending.then(() => undefined);
    clearInterval(this.#sealing);
    const ending = Promise.allSettled(this.#working).then(end);
    const closed = () => this.#options.closed();
    this.#ending = ending.then((answer) => {
      if (answer === 'open') this.#ending = undefined;
      else closed();
    }, closed);
    return this.#ending.then(() => ending);
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ending !== undefined) throw new Error(`${this.name.digest} was closed.`);
    const working = work();
    this.#working.add(working);
    try {
      return await working;
    } finally {
      this.#working.delete(working);
    }
  }
}
