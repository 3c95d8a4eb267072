import { readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';

import { REQUEST_BUFFER_SIZE, Size } from './protocol.js';
import { isRefusable, refusal } from './refusals.js';
import { encodeStatus } from './replies.js';
import { decodeHeader, decodeRequest, ProtocolError, type Request } from './requests.js';
import type { ThreadData, ThreadMessage } from './thread-messages.js';

/**
 * A thread that does nothing but read requests, one at a time, from the kernel. What depends on
 * nothing it answers itself; the rest goes to the main thread, which answers on the same device.
 *
 * It blocks in read(2), so it hears nothing from the main thread; it ends when the mount does.
 */

/** Between two looks whether the device is mounted yet, in ms. */
const MOUNT_POLL_MS = 1;

/**
 * Read once more; ENOENT says that the request was interrupted before we had it. EINVAL is not among
 * them: the buffer would be too small the next time too.
 */
const AGAIN: ReadonlySet<string> = new Set(['EINTR', 'EAGAIN', 'ENOENT']);

const { fd, stop } = workerData as ThreadData;
const buffer = Buffer.allocUnsafeSlow(REQUEST_BUFFER_SIZE);

function post(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

/** One request, or undefined at the end. */
function receive(): Uint8Array | undefined {
  for (;;) {
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, buffer.byteLength, null));
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'ENODEV') return undefined;
      if (code === 'EPERM') {
        // Not mounted yet.
        if (Atomics.wait(stop, 0, 0, MOUNT_POLL_MS) !== 'timed-out') return undefined;
      } else if (!AGAIN.has(code)) {
        throw error;
      }
    }
  }
}

function handle(bytes: Uint8Array): void {
  const request = decodeRequest(bytes);
  const { kind } = request.body;
  if (!isRefusable(kind)) {
    post({ kind: 'request', bytes: Uint8Array.from(bytes) });
    return;
  }
  const status = refusal(kind);
  if (status !== undefined) answer(request, status);
}

function answer({ unique }: Pick<Request, 'unique'>, status: number): void {
  try {
    writeSync(fd, encodeStatus(unique, status));
  } catch (error) {
    // Nobody waits for the answer any more.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
  }
}

function refuseMalformed(bytes: Uint8Array, error: ProtocolError): void {
  post({ kind: 'malformed', reason: error.message });
  if (bytes.byteLength < Size.IN_HEADER) return;
  // Its length is no matter here.
  const head = Uint8Array.from(bytes);
  new DataView(head.buffer).setUint32(0, head.byteLength, true);
  answer(decodeHeader(head), constants.errno.EIO);
}

for (let bytes = receive(); bytes !== undefined; bytes = receive()) {
  try {
    handle(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    refuseMalformed(bytes, error);
  }
}
