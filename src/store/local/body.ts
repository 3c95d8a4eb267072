import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import { localFailure } from './failures.js';

/** Bytes per read: large enough that the thread pool's cost vanishes. */
const CHUNK = 256 * 1024;
/** Bytes per read into the caller's memory, and between two calls of its `arrived`. */
const STEP = 2 * 1024 * 1024;

export interface FileRange {
  readonly file: FileHandle;
  readonly offset: number;
  readonly length: number;
  /** What `fstat` said when the conditions were checked. */
  readonly stat: BigIntStats;
  /** For messages: `"key" in file:///root`. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Read a range of an opened file, once, and close it at the end, at an error and on cancel. A file that
 * changes while it is read ends in `Interrupted` before its last bytes are given out: an object
 * store's objects never change under a reader.
 */
export function readRange({ file, offset, length, stat, what, signal }: FileRange) {
  let cancelled = false;
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= file.close());
  const cancel = () => {
    cancelled = true;
    signal?.removeEventListener('abort', cancel);
    close().catch(() => undefined);
  };
  signal?.addEventListener('abort', cancel, { once: true });

  const checkUnchanged = async () => {
    const now = await file.stat({ bigint: true });
    // Not ctime: replacing the file by a rename changes that and leaves the bytes alone.
    if (now.size === stat.size && now.mtimeNs === stat.mtimeNs) return;
    throw new StoreError('Interrupted', `${what} was changed while it was read: read it again.`);
  };

  /** Fill (a part of) `buffer`; the last bytes are given out only if the file is what it was. */
  const readSome = async (buffer: Uint8Array, position: number): Promise<number> => {
    if (isCancelled()) throw aborted();
    const wanted = Math.min(buffer.length, offset + length - position);
    const { bytesRead } = await file.read(buffer, 0, wanted, position);
    if (isCancelled()) throw aborted();
    if (bytesRead === 0) {
      throw new StoreError('Interrupted', `${what} became shorter while it was read.`);
    }
    if (position + bytesRead === offset + length) await checkUnchanged();
    return bytesRead;
  };
  const failure = (error: unknown) =>
    isCancelled() ? aborted(error) : localFailure(error, `read ${what}`);
  const finish = async () => {
    signal?.removeEventListener('abort', cancel);
    await close();
  };

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let position = offset; position < offset + length;) {
        const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, offset + length - position));
        const bytesRead = await readSome(buffer, position);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      throw failure(error);
    } finally {
      await finish();
    }
  }

  const readInto = async (target: Uint8Array, arrived?: (bytes: number) => void): Promise<void> => {
    try {
      for (let filled = 0; filled < length;) {
        filled += await readSome(target.subarray(filled, filled + STEP), offset + filled);
        arrived?.(filled);
      }
    } catch (error) {
      throw failure(error);
    } finally {
      await finish();
    }
  };
  const isCancelled = () => cancelled;
  const aborted = (cause?: unknown) =>
    cause instanceof StoreError
      ? cause
      : new StoreError('Aborted', `Reading ${what} was aborted.`, { cause });

  return { body: read(), readInto, cancel };
}
