import { StoreError, isStoreError } from '../store/errors.js';
import type { ObjectStore } from '../store/object-store.js';
import type { StoredDocument } from './registry.js';

export interface ReadDocumentOptions {
  /** Longer objects are refused before their body is read. */
  readonly maxBytes: number;
  readonly ifNoneMatch?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The store answers 403 for absent keys, so a refusal means absence. */
  readonly deniedIsAbsent?: boolean;
}

/**
 * One small object, whole, by one GET. `'unchanged'` when it still has the version `ifNoneMatch`;
 * undefined when there is no such object.
 * @throws StoreError, also (`Failed`) when the object is longer than `maxBytes`.
 */
export async function readDocument(
  store: ObjectStore,
  key: string,
  { maxBytes, ifNoneMatch, signal, deniedIsAbsent = false }: ReadDocumentOptions,
): Promise<StoredDocument | 'unchanged' | undefined> {
  const condition =
    ifNoneMatch !== undefined && store.capabilities.conditionalGet ? { ifNoneMatch } : {};
  try {
    const answer = await store.get(key, {
      ...condition,
      ...(signal === undefined ? {} : { signal }),
    });
    const { info } = answer;
    if (ifNoneMatch !== undefined && info.etag === ifNoneMatch) {
      answer.cancel();
      return 'unchanged';
    }
    if (info.size > maxBytes) {
      answer.cancel();
      throw new StoreError(
        'Failed',
        `${key} in ${store.name} has ${info.size} bytes; documents of more than ${maxBytes} bytes are not read.`,
      );
    }
    const parts: Uint8Array[] = [];
    for await (const part of answer.body) parts.push(part);
    return { bytes: Buffer.concat(parts), info };
  } catch (error) {
    if (isStoreError(error, 'NotModified')) return 'unchanged';
    if (isStoreError(error, 'NotFound')) return undefined;
    if (deniedIsAbsent && isStoreError(error, 'AccessDenied')) return undefined;
    throw error;
  }
}
