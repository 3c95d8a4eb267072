import { type Digest, digestParts } from '../../oci/digest.js';
import { createHasher, type Hasher } from '../../oci/hash.js';
import { isUploadSession } from '../../registry/upload-session.js';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo, ObjectStore } from '../../store/object-store.js';

/** An object that should hold the bytes of `digest`. */
export interface NamedObject {
  readonly store: ObjectStore;
  readonly key: string;
  readonly digest: Digest;
}

/** What reading an object from its first to its last byte told. */
export type HashOutcome =
  /** Its bytes are those of its digest; `etag` is the version that was read. */
  | { readonly state: 'right'; readonly size: number; readonly etag?: string }
  /** They are not: `actual` is what they hash to. */
  | {
      readonly state: 'wrong';
      readonly size: number;
      readonly etag?: string;
      readonly actual: string;
    }
  /** It is not there (any more), or is an upload in progress. */
  | { readonly state: 'absent' }
  /** It could not be read or hashed; a full sentence says why. */
  | { readonly state: 'unread'; readonly reason: string };

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes of each chunk that came. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Attempts at one object: a connection may break in the middle of a long one. */
const ATTEMPTS = 4;

/**
 * Read an object and hash it, a chunk at a time: memory does not grow with its size. A broken
 * transfer goes on where it ended while the object is still the same, else from the beginning.
 * @throws StoreError `Aborted`, and what is no StoreError
 */
export async function hashObject(
  object: NamedObject,
  options: HashOptions = {},
): Promise<HashOutcome> {
  let reading: Reading | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      reading ??= begin(object);
      if (reading === undefined) {
        return {
          state: 'unread',
          reason: `Nothing here can compute the hash of ${object.digest}.`,
        };
      }
      const info = await readOn(object, reading, options);
      if (info === undefined) return { state: 'absent' };
      const actual = reading.hasher.digest();
      const { size, etag } = info;
      const version = { size, ...(etag !== undefined && { etag }) };
      if (actual !== object.digest) return { state: 'wrong', ...version, actual };
      return { state: 'right', ...version };
    } catch (error) {
      if (!isStoreError(error) || error.code === 'Aborted') throw error;
      if (error.code === 'NotFound') return { state: 'absent' };
      const mayMend = isStoreError(error, 'Interrupted', 'Timeout', 'PreconditionFailed');
      if (!mayMend || attempt === ATTEMPTS) return { state: 'unread', reason: error.message };
      if (!canGoOn(object, reading) || error.code === 'PreconditionFailed') reading = undefined;
    }
  }
}

/** How far the reading of one version of an object is. */
interface Reading {
  readonly hasher: Hasher;
  position: number;
  /** The object as its first answer described it. */
  info: ObjectInfo | undefined;
}

function begin({ digest }: NamedObject): Reading | undefined {
  const hasher = createHasher(digestParts(digest).algorithm);
  return hasher && { hasher, position: 0, info: undefined };
}

function canGoOn({ store }: NamedObject, reading: Reading | undefined): boolean {
  return store.capabilities.conditionalGet && reading?.info?.etag !== undefined;
}

/** Hash all that is left; the object's head, or undefined when it is an upload in progress. */
async function readOn(
  { store, key }: NamedObject,
  reading: Reading,
  { signal, onBytes }: HashOptions,
): Promise<ObjectInfo | undefined> {
  const { info: known, position } = reading;
  if (position === known?.size) return known;
  const answer = await store.get(key, {
    ...(known?.etag !== undefined && {
      range: { offset: position, length: known.size - position },
      ifMatch: known.etag,
    }),
    ...(signal !== undefined && { signal }),
  });
  if (isUploadSession(answer.info)) {
    answer.cancel();
    return undefined;
  }
  reading.info ??= answer.info;
  for await (const chunk of answer.body) {
    reading.hasher.update(chunk);
    reading.position += chunk.length;
    onBytes?.(chunk.length);
  }
  return reading.info;
}
