import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Log } from '../observe/log.js';
import { createHasher } from '../oci/hash.js';
import type { Arena } from './arena.js';
import { BLOCK_SIZE } from './grid.js';
import type { HashAnswer, HashRequest, HashThreadData } from './hash-messages.js';
import { PinMaker } from './pins.js';

/** What is at most this long is hashed at once, by ourselves: a thread would take longer. Bytes. */
const AT_ONCE = 2 * BLOCK_SIZE;

/** The hash of one blob, as its bytes come. */
export interface RunningHash {
  /** Hash a range of the arena, which must stay as it is until this settles; answers its pins. */
  update(offset: number, length: number): Promise<Uint8Array>;
  /** The digest of all; once. */
  digest(): Promise<string>;
  /** It is not wanted any more. */
  end(): void;
}

/**
 * Hashes blobs in the memory of an {@link Arena}, on threads of their own: one less than there are
 * processors. They are started when they are needed, and keep no process alive.
 */
export class Hashing {
  readonly pinMaker = new PinMaker();
  readonly #arena: Arena;
  readonly #log: Log;
  readonly #threads = new Set<HashThread>();
  #lastHash = 0;
  /** Threads do not work here: everything is hashed by ourselves. */
  #alone = false;

  constructor(arena: Arena, log: Log) {
    this.#arena = arena;
    this.#log = log;
  }

  /** Begin to hash a blob of `size` bytes. */
  start(algorithm: string, size: number): RunningHash {
    const thread = size > AT_ONCE ? this.#thread() : undefined;
    if (thread) return thread.start(++this.#lastHash, algorithm);
    return new HashAtOnce(this.#arena, this.pinMaker, algorithm);
  }

  /** End the threads. */
  async close(): Promise<void> {
    this.#alone = true;
    await Promise.all([...this.#threads].map((thread) => thread.end()));
  }

  /** The thread with the least to do. */
  #thread(): HashThread | undefined {
    if (this.#alone) return undefined;
    const most = Math.max(1, availableParallelism() - 1);
    const [idlest] = [...this.#threads].sort((a, b) => a.hashes - b.hashes);
    if (idlest && (idlest.hashes === 0 || this.#threads.size >= most)) return idlest;
    const data = { memory: this.#arena.memory, secret: this.pinMaker.secret };
    try {
      const thread = new HashThread(data, (reason) => {
        this.#threads.delete(thread);
        this.#goOnAlone(reason);
      });
      this.#threads.add(thread);
      return thread;
    } catch (error) {
      this.#goOnAlone(String(error));
      return undefined;
    }
  }

  #goOnAlone(reason: string): void {
    if (this.#alone) return;
    this.#alone = true;
    this.#log.warn(
      { reason },
      'A thread that hashes blobs has failed; reading goes on, but slower.',
    );
  }
}

class HashAtOnce implements RunningHash {
  readonly #arena: Arena;
  readonly #pinMaker: PinMaker;
  readonly #hasher;

  constructor(arena: Arena, pinMaker: PinMaker, algorithm: string) {
    this.#arena = arena;
    this.#pinMaker = pinMaker;
    this.#hasher = createHasher(algorithm);
  }

  update(offset: number, length: number): Promise<Uint8Array> {
    const bytes = this.#arena.view(offset, length);
    this.#hasher?.update(bytes);
    return Promise.resolve(this.#pinMaker.pins(bytes));
  }

  digest(): Promise<string> {
    return Promise.resolve(this.#hasher?.digest() ?? '');
  }

  end(): void {
    // Nothing is kept elsewhere.
  }
}

interface Expected {
  readonly resolve: (answer: HashAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** One thread, from our side. */
class HashThread {
  readonly #worker: Worker;
  /** Answers to come, in the order in which they were asked for. */
  readonly #expected: Expected[] = [];
  #hashes = 0;
  #over: Error | undefined;

  constructor(workerData: HashThreadData, ended: (reason: string) => void) {
    this.#worker = new Worker(new URL('./hash-thread.js', import.meta.url), { workerData });
    this.#worker.unref();
    this.#worker.on('message', (answer: HashAnswer) => {
      this.#expected.shift()?.resolve(answer);
      if (this.#expected.length === 0) this.#worker.unref();
    });
    const fail = (reason: string) => {
      ended(reason);
      this.#over ??= new Error(`A hash thread ended: ${reason}.`);
      for (const { reject } of this.#expected.splice(0)) reject(this.#over);
    };
    this.#worker.on('error', (error) => fail(error.message));
    this.#worker.on('exit', (code) => fail(`exit code ${code}`));
  }

  /** Blobs that it is hashing. */
  get hashes(): number {
    return this.#hashes;
  }

  start(hash: number, algorithm: string): RunningHash {
    this.#hashes++;
    let over = false;
    const finish = () => {
      if (!over) this.#hashes--;
      over = true;
    };
    this.#post({ kind: 'start', hash, algorithm });
    return {
      update: async (offset, length) => {
        const answer = await this.#ask({ kind: 'update', hash, offset, length });
        return answer.kind === 'update' ? answer.pins : new Uint8Array();
      },
      digest: async () => {
        finish();
        const answer = await this.#ask({ kind: 'digest', hash });
        return answer.kind === 'digest' ? answer.digest : '';
      },
      end: () => {
        finish();
        this.#post({ kind: 'end', hash });
      },
    };
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(request: HashRequest): Promise<HashAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#over) {
        reject(this.#over);
        return;
      }
      // The process may not end while somebody waits for an answer.
      if (this.#expected.push({ resolve, reject }) === 1) this.#worker.ref();
      this.#post(request);
    });
  }

  #post(request: HashRequest): void {
    this.#worker.postMessage(request);
  }
}
