import { createWriteStream, type WriteStream } from 'node:fs';

/** The file descriptor on which a mount in the background tells its parent how the start went. */
export const READY_FD = 3;

/** The file descriptor of a mount that was handed to the parent, see `handedDescriptor`. */
export const DEVICE_FD = 4;

/** How a start went: one line of JSON. */
export type Handshake =
  | {
      readonly ready: true;
      readonly pid: number;
      /** What the user should know although the mount works, e.g. that LIST is not allowed. */
      readonly notes: readonly string[];
    }
  | { readonly ready: false; readonly message: string; readonly exitCode: number };

/** The handshake in what was received so far; undefined while its line is not complete. */
export function parseHandshake(received: string): Handshake | undefined {
  const end = received.indexOf('\n');
  return end < 0 ? undefined : (JSON.parse(received.slice(0, end)) as Handshake);
}

/** Tell the parent, once. A parent that is gone does not matter. */
export async function sendHandshake(fd: number, handshake: Handshake): Promise<void> {
  const stream: WriteStream = createWriteStream('', { fd });
  stream.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    stream.once('close', () => resolve()).end(`${JSON.stringify(handshake)}\n`);
  });
}
