import { FIRST_SIZE, PART_SIZE, powerOfTwo } from './grid.js';

/** Reads of one reader reach us slightly out of order: this far apart they still follow. Bytes. */
const SLACK = 2 * 1024 * 1024;

/** What may be on its way for one stream, whatever it has read. Bytes. */
const LARGEST_WINDOW = 16 * PART_SIZE;

/** What is on its way shall not take longer than this to arrive, in seconds. */
const AHEAD_SECONDS = 1.5;

/** The window of a stream on a slow link, in bytes. */
const SLOW_WINDOW = 2 * 1024 * 1024;

/** Reads elsewhere after which a stream is taken to be over. */
const MISSES = 8;

/** Streams of one handle: threads may share it. */
const MAX_STREAMS = 3;

/** A reader that reads on and on, from somewhere. */
export class Stream {
  /** Everything before this position was asked for, as far as it has to be. */
  planned: number;
  misses = 0;
  /** It does not go on. */
  isOver = false;
  readonly #start: number;
  #high: number;
  /** Bytes asked for. */
  #run = 0;
  #stalls = 0;
  /** Bytes that the reader got since then: its rate. */
  #delivered = 0;
  #since: number;

  /** @param now milliseconds, monotonic */
  constructor(start: number, now: number) {
    this.#start = start;
    this.#high = start;
    this.planned = start;
    this.#since = now;
  }

  /** Where reading has got to. */
  get position(): number {
    return this.#high;
  }

  /** It began at the beginning of the blob. */
  get isFromStart(): boolean {
    return this.#start === 0;
  }

  /** Whether a read goes on where this stream is. */
  follows(start: number, end: number): boolean {
    return start <= this.#high + SLACK && end > this.#high - 2 * SLACK && start >= this.#start;
  }

  /** Take note of a read. */
  read(start: number, end: number): void {
    this.#high = Math.max(this.#high, end);
    this.planned = Math.max(this.planned, start);
    this.#run += end - start;
  }

  /** The reader got so many bytes. */
  delivered(bytes: number, now: number): void {
    this.#delivered += bytes;
    if (now - this.#since < 2000) return;
    // The rate is that of the last few seconds.
    this.#delivered /= 2;
    this.#since = (this.#since + now) / 2;
  }

  /** The reader had to wait for bytes that were not asked for ahead. */
  stalled(): void {
    this.#stalls = Math.min(3, this.#stalls + 1);
  }

  /**
   * How many bytes after {@link position} should be on their way. Who begins at the start of a blob
   * mostly reads it to its end; elsewhere that has to be shown first.
   */
  window(now: number): number {
    const trust = this.isFromStart ? 4 : 1;
    if (this.#run * trust < FIRST_SIZE || (trust === 1 && this.#run === FIRST_SIZE)) return 0;
    const seconds = Math.max(0.02, (now - this.#since) / 1000);
    const affordable = Math.max(SLOW_WINDOW, (this.#delivered / seconds) * AHEAD_SECONDS);
    const earned = 8 * this.#run * trust * 2 ** this.#stalls;
    return Math.min(earned, affordable, LARGEST_WINDOW);
  }
}

/** Bytes of each of `parallel` GETs that fill a window. */
export function pieceSize(window: number, parallel: number): number {
  return Math.min(PART_SIZE, powerOfTwo(window / parallel, FIRST_SIZE));
}

/** The streams of one handle. */
export class Streams {
  #streams: Stream[] = [];
  readonly #ended: (stream: Stream) => void;

  /** @param ended told of streams that do not go on */
  constructor(ended: (stream: Stream) => void) {
    this.#ended = ended;
  }

  /** Take note of a read; answers the stream that it belongs to. */
  read(start: number, end: number, now: number): Stream {
    let stream = this.#streams.find((one) => one.follows(start, end));
    if (!stream) {
      stream = new Stream(start, now);
      this.#streams.unshift(stream);
    }
    stream.misses = 0;
    stream.read(start, end);
    for (const other of this.#streams) if (other !== stream) other.misses++;
    this.#drop((one, i) => i >= MAX_STREAMS || one.misses >= MISSES);
    return stream;
  }

  /** The handle is closed. */
  end(): void {
    this.#drop(() => true);
  }

  #drop(isOver: (stream: Stream, index: number) => boolean): void {
    const over = this.#streams.filter(isOver);
    this.#streams = this.#streams.filter((stream) => !over.includes(stream));
    for (const stream of over) {
      stream.isOver = true;
      this.#ended(stream);
    }
  }
}
