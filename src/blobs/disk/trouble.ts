import type { Counters } from '../../observe/counters.js';
import type { Log } from '../../observe/log.js';
import { errnoOf } from './errors.js';

/** What a person is told about an errno. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full',
  EDQUOT: 'its quota is used up',
  EROFS: 'its disk is read-only',
  EIO: 'its disk reports an error, see the kernel log',
  ENOENT: 'it is gone',
  ESTALE: 'it is gone',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EMFILE: 'the process has no file descriptors left',
  ENFILE: 'the system has no file descriptors left',
};

/**
 * After how long a kind of failure is logged again, in ms. On a disk that is nearly full small blobs
 * fit and large ones do not: the log would say the one and the other in turns.
 */
const TELL_AGAIN_MS = 10 * 60 * 1000;

/**
 * A disk that fails makes reading slower and nothing else: each kind of failure is logged once in a
 * while, all are counted, and writing pauses so that not every part fails anew.
 */
export class Trouble {
  readonly #directory: string;
  readonly #log: Log;
  readonly #counters: Counters;
  /** When each kind of failure was logged. */
  readonly #told = new Map<string, number>();
  /** It was logged that nothing is written, and not yet that something is again. */
  #isRefusalTold = false;
  readonly #pauseMs: number;
  #pausedUntil = 0;
  #reason: string | undefined;

  /** @param options `pauseMs` is how long nothing is written after the disk refused. */
  constructor(options: { directory: string; pauseMs: number; log: Log; counters: Counters }) {
    this.#pauseMs = options.pauseMs;
    this.#directory = options.directory;
    this.#log = options.log;
    this.#counters = options.counters;
  }

  /** Whether writing is worth trying now. */
  get mayWrite(): boolean {
    return performance.now() >= this.#pausedUntil;
  }

  /** Why nothing is written at the moment, for `status`. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** A blob could not be read: it is a miss. */
  readFailed(error: unknown): void {
    this.#counters.increment('cache.error');
    const errno = errnoOf(error) ?? 'unknown';
    this.#tell(
      `read ${errno}`,
      error,
      `The cache ${this.#directory} cannot be read (${explain(error)}); blobs come from the store.`,
    );
  }

  /** Something could not be written: nothing is for a while. */
  writeFailed(error: unknown): void {
    this.#counters.increment('cache.error');
    this.#pause(explain(error));
    const errno = errnoOf(error) ?? 'unknown';
    this.#tellRefusal(
      `write ${errno}`,
      error,
      `The cache ${this.#directory} takes nothing more for now: ${explain(error)}. It is tried again later.`,
    );
  }

  /** Nothing can be thrown out to make room: nothing is written for a while. */
  noRoom(): void {
    this.#pause('it is full, and all of it in use');
    this.#tellRefusal(
      'room',
      undefined,
      `The cache ${this.#directory} takes nothing more for now: it is full, and all that could be thrown out is in use. See --cache-size and --cache-min-free.`,
    );
  }

  /** Something was written. */
  worked(): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    this.#pausedUntil = 0;
    if (!this.#isRefusalTold) return;
    this.#isRefusalTold = false;
    this.#log.info({}, `The cache ${this.#directory} is written to again.`);
  }

  #pause(reason: string): void {
    this.#reason = reason;
    this.#pausedUntil = performance.now() + this.#pauseMs;
  }

  #tellRefusal(kind: string, error: unknown, message: string): void {
    if (this.#tell(kind, error, message)) this.#isRefusalTold = true;
  }

  /** @returns whether it was logged */
  #tell(kind: string, error: unknown, message: string): boolean {
    const now = performance.now();
    if (now < (this.#told.get(kind) ?? -Infinity) + TELL_AGAIN_MS) return false;
    this.#told.set(kind, now);
    this.#log.warn(error === undefined ? {} : { error }, message);
    return true;
  }
}

function explain(error: unknown): string {
  const errno = errnoOf(error);
  const known = EXPLANATIONS[errno ?? ''];
  if (known !== undefined) return known;
  return error instanceof Error ? error.message : String(error);
}
