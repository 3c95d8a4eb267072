import { constants as fsConstants, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

import { NameTable } from './known-names.js';
import { OpenSlots } from './open-slots.js';
import { Opcode, OpenFlag, REQUEST_BUFFER_SIZE, Size } from './protocol.js';
import { isRefusable, refusal } from './refusals.js';
import { encodeStatus, writeWide } from './replies.js';
import { countRequest } from './request-counts.js';
import { decodeHeader, decodeRequest, ProtocolError, type Request } from './requests.js';
import type { ThreadData, ThreadMessage, ThreadNews } from './thread-messages.js';
import { RING_CAPACITY, ToldRing } from './told-ring.js';

/**
 * A thread that does nothing but read requests, one at a time, from the kernel. What depends on
 * nothing it answers itself, and lookups of names and opens of files that the main thread has
 * published; the rest goes to the main thread, which answers on the same device.
 *
 * It blocks in read(2), so it looks for news of the main thread before each request, and ends when
 * the mount does.
 */

/** Between two looks whether the device is mounted yet, in ms. */
const MOUNT_POLL_MS = 1;

/**
 * Read once more; ENOENT says that the request was interrupted before we had it. EINVAL is not among
 * them: the buffer would be too small the next time too.
 */
const AGAIN: ReadonlySet<string> = new Set(['EINTR', 'EAGAIN', 'ENOENT']);

/**
 * The mount has ended: unmounted, or aborted (umount -f) while a request was about to be handed to
 * us, which fs/fuse/dev.c tells from the former only by its errno.
 */
const ENDED: ReadonlySet<string> = new Set(['ENODEV', 'ECONNABORTED']);

const { fd, stop, news, told, counts, opens } = workerData as ThreadData;
const buffer = Buffer.allocUnsafeSlow(REQUEST_BUFFER_SIZE);

const ring = new ToldRing(told);
const slots = new OpenSlots(opens);
const tables = new Map<number, NameTable>();
let newsSeen = 0;

/** Answer to a lookup; the header's length and error never change. */
const entryReply = Buffer.alloc(Size.OUT_HEADER + Size.ENTRY_OUT);
entryReply.writeUInt32LE(entryReply.byteLength, 0);

/** Answer to an open of a file whose pages may all stay, or that the kernel reads by itself. */
const openReply = Buffer.alloc(Size.OUT_HEADER + Size.OPEN_OUT);
openReply.writeUInt32LE(openReply.byteLength, 0);

/** Answer to the close of such a file. */
const doneReply = Buffer.alloc(Size.OUT_HEADER);
doneReply.writeUInt32LE(doneReply.byteLength, 0);

/** Where `fuse_open_in` has the flags, and `fuse_release_in` the handle. */
const BODY = Size.IN_HEADER;
const WRITING = fsConstants.O_WRONLY | fsConstants.O_RDWR;

function readNews(): void {
  const latest = Atomics.load(news, 0);
  if (latest === newsSeen || parentPort === null) return;
  newsSeen = latest;
  for (;;) {
    const message = receiveMessageOnPort(parentPort) as { message: ThreadNews } | undefined;
    if (message === undefined) return;
    const item = message.message;
    if (item.kind === 'names') tables.set(item.known.parent, new NameTable(item.known));
    else tables.delete(item.parent);
  }
}

/** Answer what the main thread has published; false if it must be asked. */
function answerKnown(request: Buffer): boolean {
  const length = request.byteLength;
  if (length <= Size.IN_HEADER || request.readUInt32LE(0) !== length) return false;
  switch (request.readUInt32LE(4)) {
    case Opcode.LOOKUP:
      return answerLookup(request);
    case Opcode.OPEN:
      return length >= BODY + Size.OPEN_IN && answerOpen(request);
    case Opcode.RELEASE:
      return length >= BODY + Size.RELEASE_IN && answerRelease(request);
    default:
      return false;
  }
}

function answerLookup(request: Buffer): boolean {
  const table = tables.get(request.readUInt32LE(16) + request.readUInt32LE(20) * 2 ** 32);
  if (table?.isValid !== true) return false;
  // The name ends in NUL, which is the last byte.
  const index = table.find(request, Size.IN_HEADER, request.byteLength - 1);
  if (index < 0 || !ring.push(table.id, index)) return false;
  request.copy(entryReply, 8, 8, Size.OUT_HEADER);
  table.copyReply(index, entryReply, Size.OUT_HEADER);
  if (!write(entryReply)) ring.push(table.id, ~index);
  if (ring.length === RING_CAPACITY / 2) post({ kind: 'told' });
  return true;
}

function answerOpen(request: Buffer): boolean {
  if ((request.readUInt32LE(BODY) & WRITING) !== 0) return false;
  const handle = slots.enter(request.readUInt32LE(16), request.readUInt32LE(20));
  if (handle === undefined) return false;
  let isOpen = false;
  try {
    request.copy(openReply, 8, 8, Size.OUT_HEADER);
    writeWide(openReply, handle, Size.OUT_HEADER);
    const backingId = slots.backingId(handle);
    const flags = backingId === 0 ? OpenFlag.KEEP_CACHE : OpenFlag.PASSTHROUGH;
    openReply.writeUInt32LE(flags, Size.OUT_HEADER + 8);
    openReply.writeUInt32LE(backingId, Size.OUT_HEADER + 12);
    isOpen = write(openReply);
  } finally {
    if (!isOpen) slots.leave(handle);
  }
  return true;
}

function answerRelease(request: Buffer): boolean {
  const handle = request.readUInt32LE(BODY) + request.readUInt32LE(BODY + 4) * 2 ** 32;
  if (!slots.leave(handle)) return false;
  request.copy(doneReply, 8, 8, Size.OUT_HEADER);
  write(doneReply);
  return true;
}

function post(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

/** One request, or undefined at the end. */
function receive(): Buffer | undefined {
  for (;;) {
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, buffer.byteLength, null));
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (ENDED.has(code)) return undefined;
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
  write(encodeStatus(unique, status));
}

/** @returns false if nobody waits for the answer any more */
function write(reply: Buffer): boolean {
  try {
    writeSync(fd, reply);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
    return false;
  }
}

/** Answer EIO to what cannot be served: whoever waits may not wait for ever. */
function fail(bytes: Uint8Array, error: unknown): void {
  if (error instanceof ProtocolError) post({ kind: 'malformed', reason: error.message });
  else post({ kind: 'failed', reason: String(error) });
  if (bytes.byteLength < Size.IN_HEADER) return;
  // Its length is no matter here.
  const head = Uint8Array.from(bytes);
  new DataView(head.buffer).setUint32(0, head.byteLength, true);
  answer(decodeHeader(head), constants.errno.EIO);
}

for (let bytes = receive(); bytes !== undefined; bytes = receive()) {
  try {
    if (bytes.byteLength >= Size.IN_HEADER) countRequest(counts, bytes.readUInt32LE(4));
    readNews();
    if (!answerKnown(bytes)) handle(bytes);
  } catch (error) {
    fail(bytes, error);
  }
}
