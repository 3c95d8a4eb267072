import type { FileHandle } from 'node:fs/promises';
import type { Counters } from '../../observe/counters.js';
import type { Digest } from '../../oci/digest.js';
import type { CachedBlob } from '../disk-cache.js';
import { type Fingerprint, fingerprintOf, isSame } from './fingerprint.js';
import { readFully } from './plain-file.js';
import { touchRecord } from './record.js';

export interface SharedBlobOptions {
  readonly digest: Digest;
  readonly path: string;
  readonly recordPath: string;
  /** Open for reading; it becomes this object's to close. */
  readonly file: FileHandle;
  /** Of the file when its bytes were known to be right. */
  readonly fingerprint: Fingerprint;
  readonly counters: Counters;
  /** Reading failed: the file is not what it was. */
  failed(error: unknown): void;
  /** The last reader has closed it. */
  closed(): void;
}

/** A complete blob's file, open once for all its readers in this process. */
export class SharedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly path: string;
  readonly #options: SharedBlobOptions;
  #readers = 0;
  #reading = 0;
  #isClosed = false;

  constructor(options: SharedBlobOptions) {
    this.digest = options.digest;
    this.path = options.path;
    this.size = options.fingerprint.size;
    this.#options = options;
  }

  /** Inode of the file, in decimal. */
  get inode(): string {
    return this.#options.fingerprint.inode;
  }

  /** Whether nothing has happened to the file since its bytes were verified; false once closed. */
  async isUnchanged(): Promise<boolean> {
    if (this.#isClosed) return false;
    try {
      const { file, fingerprint } = this.#options;
      return isSame(fingerprintOf(await file.stat({ bigint: true })), fingerprint);
    } catch {
      return false;
    }
  }

  /** One more reader; undefined when the last one has closed it meanwhile. */
  open(): CachedBlob | undefined {
    if (this.#isClosed) return undefined;
    if (this.#readers === 0) this.renew();
    this.#readers++;
    let isOpen = true;
    return {
      path: this.path,
      fd: this.#options.file.fd,
      changedAt: BigInt(this.#options.fingerprint.ctime),
      read: (target, position) => {
        if (!isOpen) return Promise.reject(new Error(`${this.digest} was closed.`));
        return this.#read(target, position);
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#readers--;
        this.closeIfUnused();
      },
    };
  }

  /** Say to other processes that it is in use, for the time of a lease. */
  renew(): void {
    void touchRecord(this.#options.recordPath, { open: true });
  }

  /** Close the file unless somebody reads it. */
  closeIfUnused(): void {
    if (this.#isClosed || this.#readers > 0 || this.#reading > 0) return;
    this.#isClosed = true;
    void touchRecord(this.#options.recordPath, { open: false });
    void this.#options.file.close().catch(() => undefined);
    this.#options.closed();
  }

  async #read(target: Uint8Array, position: number): Promise<void> {
    this.#reading++;
    try {
      await readFully(this.#options.file, target, position);
      this.#options.counters.increment('cache.bytesRead', target.length);
    } catch (error) {
      this.#options.failed(error);
      throw error;
    } finally {
      this.#reading--;
      this.closeIfUnused();
    }
  }
}
