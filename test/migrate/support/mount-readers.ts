import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

/** What a reader tells when it has ended. */
interface Told {
  readonly rounds: number;
  readonly blobs: number;
  readonly wrong: readonly string[];
}

/** How long a reader may take for one round, in ms. */
const ROUND_MS = 60_000;

/** A process that reads everything below a directory again and again. */
class Reader {
  readonly #script: string;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<unknown[]>;
  #lines = 0;
  #last = '';

  private constructor(program: string, script: string, mountpoint: string) {
    this.#script = script;
    this.#process = spawn(program, [join(import.meta.dirname, script), mountpoint], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#closed = once(this.#process, 'close');
    createInterface(this.#process.stdout).on('line', (line) => {
      this.#lines += 1;
      this.#last = line;
    });
  }

  static async start(program: string, script: string, mountpoint: string): Promise<Reader> {
    const reader = new Reader(program, script, mountpoint);
    await once(reader.#process.stdout, 'data');
    return reader;
  }

  /** Until everything was read once that is there now: the round that is under way began before. */
  async wholeRound(): Promise<void> {
    const until = this.#lines + 2;
    const deadline = Date.now() + ROUND_MS;
    while (this.#lines < until) {
      if (this.#process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${this.#script} does not get on.`);
      }
      await sleep(5);
    }
  }

  async end(): Promise<Told> {
    this.#process.stdin.end();
    expect(await this.#closed, this.#script).toEqual([0, null]);
    return JSON.parse(this.#last) as Told;
  }

  kill(): void {
    if (this.#process.exitCode === null) this.#process.kill('SIGKILL');
  }
}

/**
 * Read and map everything below `mountpoint` again and again while `work` runs.
 * @param work may wait until everything was read once as it is
 */
export async function whileRead(
  mountpoint: string,
  work: (wholeRound: () => Promise<void>) => Promise<void>,
): Promise<Told & { mapped: number }> {
  const reader = await Reader.start(process.execPath, 'read-forever.mjs', mountpoint);
  try {
    const mapper = await Reader.start('python3', 'map-forever.py', mountpoint);
    try {
      // So that what is found first is found at its old place.
      await sleep(1000);
      await work(() => reader.wholeRound());
      await sleep(1000);
      const [read, mapped] = await Promise.all([reader.end(), mapper.end()]);
      return { ...read, mapped: mapped.blobs, wrong: [...read.wrong, ...mapped.wrong] };
    } finally {
      mapper.kill();
    }
  } finally {
    reader.kill();
  }
}
