import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { type Handshake, parseHandshake, READY_FD } from './handshake.js';
import { readTail } from './log-tail.js';
import { makeDirectory } from './make-directory.js';

export interface BackgroundRequest {
  /** The program and its arguments, such that it stays in the foreground and shakes hands. */
  readonly command: string;
  readonly args: readonly string[];
  /** Takes what the child writes to its standard error, such as the trace of a crash. */
  readonly logFile: string;
  /** Longest wait for the handshake, in ms. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  /** A file descriptor for the daemon to have as {@link DEVICE_FD}. */
  readonly deviceFd?: number | undefined;
}

/**
 * Start a daemon of its own session and wait until it says that it is ready or why it failed.
 * @throws Error with the tail of the log when it dies or hangs without a word
 */
export async function startInBackground(request: BackgroundRequest): Promise<Handshake> {
  await makeDirectory(dirname(request.logFile), 0o700);
  const log = await open(request.logFile, 'a', 0o600);
  try {
    const { size: logStart } = await log.stat();
    const child = spawn(request.command, request.args, {
      detached: true,
      // READY_FD is the pipe; the device, if there is one, comes after it.
      stdio: [
        'ignore',
        log.fd,
        log.fd,
        'pipe',
        ...(request.deviceFd === undefined ? [] : [request.deviceFd]),
      ],
    });
    try {
      return await shakeHands(child, request, logStart);
    } finally {
      (child.stdio[READY_FD] as Readable | null)?.destroy();
      child.unref();
    }
  } finally {
    await log.close();
  }
}

async function shakeHands(
  child: ChildProcess,
  request: BackgroundRequest,
  logStart: number,
): Promise<Handshake> {
  const limit = AbortSignal.timeout(request.limitMs);
  const signal = request.signal === undefined ? limit : AbortSignal.any([limit, request.signal]);
  const outcome = await firstWord(child, signal);
  if (typeof outcome !== 'string') return outcome;
  const tail = await readTail(request.logFile, logStart);
  const said = tail === '' ? '' : ` Its log ends: ${tail}`;
  throw new Error(`The mount ${outcome}; its log is ${request.logFile}.${said}`);
}

/** The child's handshake, or in words how it failed to send one. */
async function firstWord(child: ChildProcess, signal: AbortSignal): Promise<Handshake | string> {
  return new Promise((resolve) => {
    let received = '';
    const pipe = child.stdio[READY_FD] as Readable;
    pipe.setEncoding('utf8');
    pipe.on('data', (chunk: string) => {
      received += chunk;
      const handshake = parseHandshake(received);
      if (handshake !== undefined) resolve(handshake);
    });
    pipe.on('error', () => undefined);
    child.once('error', (error) => resolve(`could not be started (${error.message})`));
    // 'close' comes after the pipe's last byte, 'exit' may come before it.
    child.once('close', (code, killer) => {
      // When we stopped it, that is the word, not how it ended.
      if (signal.aborted) return;
      resolve(`ended before it was ready (${killer ?? `exit code ${code ?? '?'}`})`);
    });
    const giveUp = () => {
      const late = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
      const word = late ? 'was not ready in time and was stopped' : 'was interrupted';
      void stop(child).then(() => resolve(word));
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}

/** Ask it to end, which unmounts; make it end if it does not. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 3000);
  await ended;
  clearTimeout(kill);
}
