import type { Log } from '../observe/log.js';

const STOP: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

/**
 * Turns signals, and errors that nobody caught, into one orderly end. Without it a signal would
 * kill the process and leave a dead mount behind.
 */
export class StopSignals {
  readonly #log: Log;
  readonly #abort = new AbortController();
  readonly #stopped: Promise<void>;
  #crashed = false;
  #hangup: () => void = () => undefined;

  readonly #onStop = (name: NodeJS.Signals) => {
    this.#log.info({ signal: name }, 'A signal asks the mount to end.');
    this.#abort.abort(new Error(`The mount was interrupted by ${name}.`));
  };
  readonly #onHangup = () => this.#hangup();
  readonly #onError = (error: unknown) => {
    this.#log.error({ error }, 'An unexpected error ends the mount. Please report it.');
    this.#crashed = true;
    this.#abort.abort(error instanceof Error ? error : new Error(String(error)));
  };

  constructor(log: Log) {
    this.#log = log;
    this.#stopped = new Promise((resolve) => {
      this.#abort.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const name of STOP) process.on(name, this.#onStop);
    process.on('SIGHUP', this.#onHangup);
    process.on('uncaughtException', this.#onError);
    process.on('unhandledRejection', this.#onError);
  }

  /** Aborts when the mount shall end, also while it still starts. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Settles when the mount shall end. */
  get stopped(): Promise<void> {
    return this.#stopped;
  }

  /** The end was caused by an error that nobody caught. */
  get crashed(): boolean {
    return this.#crashed;
  }

  /** What SIGHUP does; before this is called it does nothing. */
  onHangup(action: () => void): void {
    this.#hangup = action;
  }

  close(): void {
    for (const name of STOP) process.off(name, this.#onStop);
    process.off('SIGHUP', this.#onHangup);
    process.off('uncaughtException', this.#onError);
    process.off('unhandledRejection', this.#onError);
  }
}
