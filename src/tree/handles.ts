import { type BackingFile, ErrnoError } from './file-system.js';

/** What an open file reads from. */
export interface FileHandle {
  /** The content was known to be right before this open. */
  readonly verified: boolean;
  /** As of an open file. */
  readonly backing?: BackingFile;
  /** Bytes of the range that lie within the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Answers whether all that was read is known to be right. */
  close(): boolean;
}

/** Open files by handle number. */
export class Handles {
  readonly #open = new Map<number, FileHandle>();
  #next = 1;

  get size(): number {
    return this.#open.size;
  }

  add(handle: FileHandle): number {
    const number = this.#next++;
    this.#open.set(number, handle);
    return number;
  }

  /** @throws ErrnoError EBADF */
  get(number: number): FileHandle {
    const handle = this.#open.get(number);
    if (!handle) throw new ErrnoError('EBADF', `There is no open file ${number}.`);
    return handle;
  }

  /** Take the handle out; undefined when it is not open. */
  remove(number: number): FileHandle | undefined {
    const handle = this.#open.get(number);
    this.#open.delete(number);
    return handle;
  }
}

/** A handle over bytes that are in memory and known to be right. */
export function bytesHandle(bytes: Uint8Array, closed: () => void = () => undefined): FileHandle {
  return {
    verified: true,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
    close: () => {
      closed();
      return true;
    },
  };
}
