import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** What the notifier's thread is started with. */
export interface NotifierData {
  /** The open /dev/fuse. */
  readonly fd: number;
}

/** What it is told: notices to write, in this order, or to end. */
export type NotifierMessage = readonly Uint8Array[] | 'end';

/**
 * Writes notices, and answers each batch with the codes of those that the kernel refused. The kernel
 * acts on a notice before write(2) returns, and takes locks for it which it may hold for requests
 * that are not answered yet: so this thread answers none.
 */
function writeAll(notices: readonly Uint8Array[], fd: number): string[] {
  const refusals: string[] = [];
  for (const notice of notices) {
    try {
      writeSync(fd, notice);
    } catch (error) {
      refusals.push((error as NodeJS.ErrnoException).code ?? String(error));
    }
  }
  return refusals;
}

parentPort?.on('message', (message: NotifierMessage) => {
  if (message === 'end') parentPort?.close();
  else parentPort?.postMessage(writeAll(message, (workerData as NotifierData).fd));
});
