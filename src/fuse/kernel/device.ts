import { writeSync, writevSync } from 'node:fs';

import type { Log } from '../../observe/log.js';
import { encodeStatus } from './replies.js';
import type { Unique } from './protocol.js';

/** Number of EIO, for the answer to a request whose true answer the kernel would not take. */
const EIO = 5;

/** An open /dev/fuse, to answer on. Any thread of the process may do so, in any order. */
export class Device {
  readonly #log: Log;

  constructor(
    readonly fd: number,
    log: Log,
  ) {
    this.#log = log;
  }

  /**
   * Answer a request.
   * @returns whether the kernel has taken the answer; if not, nobody waits for it any more
   */
  answer(unique: Unique, chunks: readonly Uint8Array[]): boolean {
    try {
      writevSync(this.fd, chunks);
      return true;
    } catch (error) {
      const code = codeOf(error);
      // The request was aborted, or the mount has ended.
      if (code === 'ENOENT' || code === 'ENODEV') return false;
      this.#log.error(
        { error },
        'The kernel refused an answer, and gets EIO instead; this is a bug in layoutfs.',
      );
      // Whoever waits may not wait for ever, whatever was wrong with the answer.
      this.#fail(unique);
      return false;
    }
  }

  #fail(unique: Unique): void {
    try {
      writeSync(this.fd, encodeStatus(unique, EIO));
    } catch {
      // The kernel itself has failed the request with the answer that it refused.
    }
  }

  /** Tell the kernel something it did not ask for, as far as it knows of such. */
  notify(notice: Uint8Array): void {
    try {
      writeSync(this.fd, notice);
    } catch (error) {
      // It never knew what it shall forget, is too old for the notice, or has ended the mount.
      this.#log.debug({ error }, 'The kernel did not take a notice.');
    }
  }
}

/** The errno code of an error of a system call. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
