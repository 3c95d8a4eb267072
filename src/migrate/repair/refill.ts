import { digestParts, type Digest } from '../../oci/digest.js';
import { isStoreError } from '../../store/errors.js';
import type { WritableObjectStore } from '../../store/object-store.js';
import { hashObject, type HashOutcome } from '../check/hash-object.js';
import type { Refill, RefillTarget } from './refills.js';

/** What came of refilling one digest. */
export interface Refilled {
  /** Whole keys that hold the bytes now, verified. */
  readonly filled: readonly string[];
  /** Whole keys that held bytes already when their turn came. */
  readonly already: readonly string[];
  /** Keys that were left as they were, each with a full sentence. */
  readonly skipped: readonly SkippedTarget[];
}

export interface SkippedTarget {
  /** Whole key. */
  readonly key: string;
  readonly digest: Digest;
  readonly reason: string;
}

export interface RefillContext {
  readonly store: WritableObjectStore;
  /** Key prefix of the registry's root. */
  readonly root: string;
  readonly signal?: AbortSignal | undefined;
}

/** Failures that concern one object, so that the others can go on. */
const OF_ONE_OBJECT = ['AccessDenied', 'Archived', 'NotFound', 'PreconditionFailed'] as const;

/**
 * Copy a digest's bytes to its targets. A source is read and hashed before the first byte is
 * written; each copy is verified, by the store's own checksum or by reading it back, and taken away
 * again when it is wrong. A target that is no longer as it was planned is left alone.
 * @throws StoreError when the store fails as a whole
 */
export async function refill(one: Refill, context: RefillContext): Promise<Refilled> {
  const filled: string[] = [];
  const already: string[] = [];
  const skipped: SkippedTarget[] = [];
  const skip = (key: string, reason: string): void =>
    void skipped.push({ key, digest: one.digest, reason });
  let source: string | undefined;
  for (const target of one.targets) {
    const key = context.root + target.key;
    try {
      const state = await lookAt(key, target, context);
      if (state === 'filled') already.push(key);
      else if (state !== 'as planned') skip(key, state);
      else {
        source ??= await findSource(one, context);
        const problem =
          source === undefined ? NO_SOURCE : await copyTo({ one, source, target }, context);
        if (problem === undefined) filled.push(key);
        else skip(key, problem);
      }
    } catch (error) {
      if (!isStoreError(error, ...OF_ONE_OBJECT)) throw error;
      skip(key, error.message);
    }
  }
  return { filled, already, skipped };
}

const NO_SOURCE = 'No object that should have the bytes has them: it is lost.';

/** Whether the target is still as it was when the bucket was listed. */
async function lookAt(
  key: string,
  { placeholder }: RefillTarget,
  { store, signal }: RefillContext,
): Promise<'as planned' | 'filled' | (string & {})> {
  try {
    const { size } = await store.head(key, signal);
    if (size > 0) return 'filled';
    return placeholder ? 'as planned' : 'An empty object came there meanwhile: run repair again.';
  } catch (error) {
    if (!isStoreError(error, 'NotFound')) throw error;
    return placeholder ? 'It was deleted meanwhile: run repair again.' : 'as planned';
  }
}

/** The whole key of the first object that has the bytes. */
async function findSource(
  { digest, sources }: Refill,
  { store, root, signal }: RefillContext,
): Promise<string | undefined> {
  for (const source of sources) {
    const outcome = await hashObject({ store, key: root + source, digest }, { signal });
    if (outcome.state === 'right') return root + source;
  }
  return undefined;
}

/** @returns why the target does not hold the bytes, a full sentence */
async function copyTo(
  { one, source, target }: { one: Refill; source: string; target: RefillTarget },
  context: RefillContext,
): Promise<string | undefined> {
  const { store, root, signal } = context;
  const { digest, size } = one;
  const key = root + target.key;
  const { sha256 } = await store.copy(source, key, { size, signal });
  if (sha256 !== undefined && digestParts(digest).algorithm === 'sha256') {
    if (`sha256:${sha256}` === digest) return undefined;
  }
  const outcome = await hashObject({ store, key, digest }, { signal });
  if (outcome.state === 'right') return undefined;
  if (outcome.state === 'wrong') await takeBack(key, target, outcome, context);
  return outcome.state === 'unread'
    ? `It was copied, and cannot be read back: ${outcome.reason}`
    : 'The copy was not right, and was taken back: run repair again.';
}

/** Make the target what it was, unless somebody else has written there since. */
async function takeBack(
  key: string,
  { placeholder }: RefillTarget,
  { etag, size }: Extract<HashOutcome, { state: 'wrong' }>,
  { store, signal }: RefillContext,
): Promise<void> {
  const now = await store.head(key, signal);
  if (now.etag !== etag || now.size !== size) return;
  if (placeholder) await store.put(key, new Uint8Array(), signal);
  else await store.delete(key, signal);
}
