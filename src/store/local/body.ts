import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import { localFailure } from './failures.js';

/** Bytes per read: large enough that the thread pool's cost vanishes. */
const CHUNK = 256 * 1024;

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
 * Stream a range of an opened file and close it at the end, at an error and on cancel. A file that
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

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let position = offset; position < offset + length;) {
        if (isCancelled()) throw aborted();
        const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, offset + length - position));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) {
          throw new StoreError('Interrupted', `${what} became shorter while it was read.`);
        }
        position += bytesRead;
        if (position === offset + length) await checkUnchanged();
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      throw isCancelled() ? aborted(error) : localFailure(error, `read ${what}`);
    } finally {
      signal?.removeEventListener('abort', cancel);
      await close();
    }
  }
  const isCancelled = () => cancelled;
  const aborted = (cause?: unknown) =>
    cause instanceof StoreError
      ? cause
      : new StoreError('Aborted', `Reading ${what} was aborted.`, { cause });

  return { body: read(), cancel };
}
