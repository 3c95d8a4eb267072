import { readDocument } from '../../registry/stored-document.js';
import type { ObjectStore } from '../../store/object-store.js';

/** A journal's segments are some hundred KB. */
const MOST_BYTES = 64 * 1024 ** 2;

/** A small object, whole; undefined when it is not there. @throws StoreError */
export async function readWhole(
  store: ObjectStore,
  key: string,
  signal?: AbortSignal,
): Promise<Buffer | undefined> {
  const document = await readDocument(store, key, { maxBytes: MOST_BYTES, signal });
  if (document === undefined || document === 'unchanged') return undefined;
  return Buffer.from(document.bytes);
}
