import { randomBytes } from 'node:crypto';
import type { WritableObjectStore } from '../store/object-store.js';
import { listRuns, standingRun } from './journal/journals.js';
import { releaseLock, takeLock, thisProcess } from './journal/lock.js';
import { describeLife } from './plan/life.js';
import { unfinishedRun } from './session.js';
import type { Survey } from './survey/survey.js';

/** Changing the bucket is refused; the message says why and what to do. */
export class ChangeRefusedError extends Error {
  override readonly name = 'ChangeRefusedError';
}

export interface ExclusiveOptions {
  readonly store: WritableObjectStore;
  /** Key prefix of the registry's root. */
  readonly root: string;
  /** Take a lock over whose process cannot be seen to be dead. */
  readonly takeOver: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Do `work` as the only one of our commands that changes this root. The lock is given back however
 * that ends, as long as the store still answers; nothing of it is left in the bucket.
 * @throws LockedError, StoreError, and what `work` throws
 */
export async function exclusively<T>(
  name: 'repair' | 'gc',
  { store, root, takeOver, signal }: ExclusiveOptions,
  work: () => Promise<T>,
): Promise<T> {
  const owner = thisProcess(`${name}-${randomBytes(4).toString('hex')}`);
  await takeLock({ store, root, signal }, owner, takeOver);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // Also after an abort, which the signal would hand on.
    await releaseLock({ store, root }, owner).catch(() => undefined);
    throw error;
  }
  await releaseLock({ store, root }, owner);
  return result;
}

/** Full sentences about a migration that is half done: it has to come to its end first. */
export function findUnfinished({ journal }: Pick<Survey, 'journal'>): string[] {
  const run = unfinishedRun(listRuns(journal));
  if (run === undefined) return [];
  return [
    `The migration ${run.run} is not finished: go on with it (layoutfs migrate) or take it back ` +
      '(layoutfs rollback) first.',
  ];
}

/** Full sentences about a migration that could still be taken back, though not with what is deleted. */
export function findReturnable({ journal }: Pick<Survey, 'journal'>): string[] {
  const run = standingRun(listRuns(journal));
  if (run?.ended !== true) return [];
  return [
    `The migration ${run.run} can still be taken back (layoutfs rollback), but blobs that are deleted ` +
      'now will not come back with it: roll back first, if you may want to.',
  ];
}

/**
 * Full sentences about uploads that are stored or under way: a registry that is stopped has none.
 * @throws StoreError
 */
export async function findUploads(
  { uploads, root }: Pick<Survey, 'uploads' | 'root'>,
  store: WritableObjectStore,
  signal?: AbortSignal,
): Promise<string[]> {
  const multipart = await store.uploads(root, signal);
  return describeLife({ uploads, multipart, changed: [] });
}
