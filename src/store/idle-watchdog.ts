/**
 * Notices when nothing came for a while, counting only the time in which somebody waits. It costs a
 * timer per `ms`, however often bytes come.
 */
export class IdleWatchdog {
  readonly #ms: number;
  readonly #stalled: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the wait for the next bytes began; undefined while nobody waits. */
  #since: number | undefined;

  /** @param stalled called once per wait that lasted `ms` */
  constructor(ms: number, stalled: () => void) {
    this.#ms = ms;
    this.#stalled = stalled;
  }

  /** Somebody waits from now on; also: bytes came, and the wait for the next ones begins. */
  wait(): void {
    this.#since = performance.now();
    this.#timer ??= setTimeout(this.#look, this.#ms);
  }

  /** Nobody waits; the timer stays, because the next wait is often near. */
  rest(): void {
    this.#since = undefined;
  }

  /** It is over: no timer is left. */
  stop(): void {
    this.#since = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    if (this.#since === undefined) return;
    const left = this.#since + this.#ms - performance.now();
    if (left > 0) {
      // Rounded up: timers fire up to a millisecond early.
      this.#timer = setTimeout(this.#look, Math.ceil(left));
      return;
    }
    this.#since = undefined;
    this.#stalled();
  };
}
