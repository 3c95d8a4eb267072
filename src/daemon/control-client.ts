import { unlink } from 'node:fs/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { User } from '../config/directories.js';
import { listControlSockets } from './control-directory.js';
import type { MountStatus } from './status.js';

/** A mount answers from memory: one that takes longer hangs. */
const ANSWER_MS = 5000;

/** What one control socket answered. */
export type MountAnswer =
  | { readonly socket: string; readonly status: MountStatus }
  | { readonly socket: string; readonly error: string };

/**
 * Ask every mount of this user, or those at one mountpoint, for its status. Sockets that nobody
 * listens to any more are removed; daemons that do not answer are named with the reason.
 */
export async function askMounts(
  environment: NodeJS.ProcessEnv,
  user: User,
  mountpoint?: string,
): Promise<readonly MountAnswer[]> {
  const sockets = await listControlSockets(environment, user, mountpoint);
  const answers = await Promise.all(sockets.map(askOne));
  return answers.filter((answer) => answer !== undefined);
}

async function askOne(socket: string): Promise<MountAnswer | undefined> {
  try {
    return { socket, status: (await callControl(socket, 'GET', '/status')) as MountStatus };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    if (code === 'ECONNREFUSED') {
      // Left over from a daemon that was killed: nobody will listen there again.
      await unlink(socket).catch(() => undefined);
      return undefined;
    }
    return { socket, error: (error as Error).message };
  }
}

/** More of a request to a mount. */
export interface ControlCall {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** How long to wait for the answer, in ms. */
  readonly answerMs?: number;
}

/**
 * One request to a mount.
 * @throws Error of `node:net` (`ECONNREFUSED`: nobody listens), or for an answer that is no success
 */
export async function callControl(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  { body: sent, answerMs = ANSWER_MS }: ControlCall = {},
): Promise<unknown> {
  const response = await new Promise<{ code: number; body: string }>((resolve, reject) => {
    const signal = AbortSignal.timeout(answerMs);
    const call = request({ socketPath, method, path, signal, agent: false }, (answer) => {
      text(answer).then((body) => resolve({ code: answer.statusCode ?? 0, body }), reject);
    });
    call.on('error', (error) => {
      reject(signal.aborted ? new Error(`no answer within ${answerMs / 1000} s`) : error);
    });
    call.end(sent === undefined ? undefined : JSON.stringify(sent));
  });
  if (response.code !== 200)
    throw new Error(`the mount answered ${response.code}: ${response.body}`);
  return JSON.parse(response.body) as unknown;
}
