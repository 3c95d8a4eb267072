import { formatByteSize } from '../config/byte-size.js';

/** Over how long a rate is taken, in ms: long enough to be steady, short enough to follow. */
const WINDOW = 5000;

/** Widest bar, in characters. */
const WIDEST = 30;

/** Width where nobody knows how wide the screen is. */
const USUAL_COLUMNS = 80;

/** How far a transfer of bytes is, and how fast it goes. */
export class ByteProgress {
  #total: number;
  #done = 0;
  /** Bytes done at earlier times, oldest first. */
  readonly #samples: { readonly at: number; readonly done: number }[] = [];

  /** @param total bytes, as far as is known */
  constructor(total: number, now = performance.now()) {
    this.#total = total;
    this.#samples.push({ at: now, done: 0 });
  }

  get done(): number {
    return this.#done;
  }

  get total(): number {
    return this.#total;
  }

  /** More is to be done than was known. */
  expect(bytes: number): void {
    this.#total += bytes;
  }

  add(bytes: number, now = performance.now()): void {
    this.#done += bytes;
    this.#samples.push({ at: now, done: this.#done });
    while ((this.#samples[1]?.at ?? now) < now - WINDOW) this.#samples.shift();
  }

  /** Bytes per second lately; undefined before anything can be said. */
  rate(now = performance.now()): number | undefined {
    const [oldest] = this.#samples;
    if (oldest === undefined || now - oldest.at < 200) return undefined;
    return ((this.#done - oldest.done) * 1000) / (now - oldest.at);
  }

  /** `[=====>    ]  43 %  1.2 GiB of 2.9 GiB  310 MiB/s  6 s left`, no wider than the screen. */
  line(columns = USUAL_COLUMNS, now = performance.now()): string {
    const share = this.#total > 0 ? Math.min(1, this.#done / this.#total) : 0;
    const rate = this.rate(now);
    const facts = [
      `${Math.floor(share * 100)} %`.padStart(5),
      `${formatByteSize(this.#done)} of ${formatByteSize(this.#total)}`,
    ];
    if (rate !== undefined) {
      facts.push(`${formatByteSize(Math.round(rate))}/s`);
      if (rate > 0) facts.push(`${formatSeconds((this.#total - this.#done) / rate)} left`);
    }
    const text = facts.join('  ');
    const width = Math.min(WIDEST, columns - text.length - 5);
    return width < 5 ? text.slice(0, columns - 1) : `${bar(share, width)} ${text}`;
  }
}

function bar(share: number, width: number): string {
  const filled = Math.round(share * width);
  const head = filled > 0 && filled < width ? '>' : '';
  return `[${('='.repeat(Math.max(0, filled - head.length)) + head).padEnd(width)}]`;
}

/** `6 s`, `2 min 5 s`, `3 h 20 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
