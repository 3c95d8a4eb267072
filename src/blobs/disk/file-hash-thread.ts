import { parentPort } from 'node:worker_threads';
import { type FileRange, hashRange } from './hash-range.js';
import type { HashAnswer, HashRequest } from './hasher-thread.js';

/** The thread that {@link HasherThread} starts. */
parentPort?.on('message', ({ id, range }: HashRequest) => void answer(id, range));

async function answer(id: number, range: FileRange): Promise<void> {
  try {
    const digest = await hashRange(range, (hashed) => tell({ id, hashed }));
    tell({ id, digest });
  } catch (error) {
    tell({ id, error: error instanceof Error ? error : new Error(String(error)) });
  }
}

function tell(message: HashAnswer): void {
  parentPort?.postMessage(message);
}
