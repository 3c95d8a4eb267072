import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { isStoreError } from '../../store/errors.js';
import type { WritableObjectStore } from '../../store/object-store.js';
import { JOURNAL_DIRECTORY } from '../survey/key-kind.js';
import { readWhole } from './read-whole.js';

/** Key of the lock, relative to the root. */
export const LOCK_KEY = `${JOURNAL_DIRECTORY}/lock.json`;

const owner = z.object({
  run: z.string(),
  host: z.string(),
  pid: z.number(),
  /** Among which processes `pid` is one: the host's boot and the PID namespace. */
  among: z.string().optional(),
  since: z.string(),
});
export type LockOwner = z.output<typeof owner>;

/** Somebody else holds the bucket. */
export class LockedError extends Error {
  override readonly name = 'LockedError';
}

export interface LockPlace {
  readonly store: WritableObjectStore;
  readonly root: string;
  readonly signal?: AbortSignal | undefined;
}

/** This process as an owner. */
export function thisProcess(run: string): LockOwner {
  const among = processesHere();
  return {
    run,
    host: hostname(),
    pid: process.pid,
    ...(among !== undefined && { among }),
    since: new Date().toISOString(),
  };
}

/** Containers, and machines that were cloned, may have the same host name and other processes. */
function processesHere(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/**
 * Take the bucket's lock, so that two operators do not change it at once. A lock whose process is
 * seen to be dead is taken over; any other only with `takeOver`.
 * @throws LockedError, StoreError
 */
export async function takeLock(
  { store, root, signal }: LockPlace,
  self: LockOwner,
  takeOver: boolean,
): Promise<void> {
  const key = root + LOCK_KEY;
  const body = bodyOf(self);
  try {
    await store.putIfAbsent(key, body, signal);
    return;
  } catch (error) {
    if (!isStoreError(error, 'PreconditionFailed')) throw error;
  }
  const stored = await readWhole(store, key, signal);
  if (stored?.equals(body) === true) return;
  const other = readOwner(stored);
  if (!takeOver && !isDead(other)) {
    const who =
      other === undefined
        ? 'somebody'
        : `process ${other.pid} on ${other.host} (run ${other.run}, since ${other.since})`;
    throw new LockedError(
      `${store.name} is locked by ${who}: wait for it, or, if that process is dead, use --take-over.`,
    );
  }
  await store.delete(key, signal);
  await store.putIfAbsent(key, body, signal);
}

/**
 * Whether the lock is still that of `self`: an operator may have taken it over.
 * @throws StoreError
 */
export async function holdsLock(
  { store, root, signal }: LockPlace,
  self: LockOwner,
): Promise<boolean> {
  const stored = await readWhole(store, root + LOCK_KEY, signal);
  return stored?.equals(bodyOf(self)) === true;
}

/** Give the lock back, unless it is another's by now. @throws StoreError */
export async function releaseLock(at: LockPlace, self: LockOwner): Promise<void> {
  if (await holdsLock(at, self)) await at.store.delete(at.root + LOCK_KEY, at.signal);
}

const bodyOf = (self: LockOwner): Buffer => Buffer.from(`${JSON.stringify(self)}\n`);

function readOwner(stored: Buffer | undefined): LockOwner | undefined {
  try {
    return owner.parse(JSON.parse(String(stored)));
  } catch {
    return undefined;
  }
}

/** Only one of the processes among which this one is can be seen to be dead. */
function isDead(other: LockOwner | undefined): boolean {
  if (other?.host !== hostname()) return false;
  if (other.among === undefined || other.among !== processesHere()) return false;
  try {
    process.kill(other.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
