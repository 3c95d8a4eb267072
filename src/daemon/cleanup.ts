import type { Log } from '../observe/log.js';

/** A part that hangs may not keep the others from being cleaned up. */
const LIMIT_MS = 15_000;

/**
 * What must be undone at the end, last made first undone. (`AsyncDisposableStack` is not in Node 20.)
 */
export class Cleanup {
  readonly #steps: { readonly what: string; readonly undo: () => Promise<void> | void }[] = [];

  /** Remember how to undo what was just made; `what` completes "cannot …". */
  add(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  /** Undo everything; failures are logged and do not stop the rest. Answers whether all went well. */
  async run(log: Log): Promise<boolean> {
    let clean = true;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await withLimit(Promise.resolve(step.undo()));
      } catch (error) {
        clean = false;
        log.error({ error }, `Cannot ${step.what}.`);
      }
    }
    return clean;
  }
}

async function withLimit(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It took longer than ${LIMIT_MS} ms.`)), LIMIT_MS);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
