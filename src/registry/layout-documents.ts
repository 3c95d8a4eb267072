import { INDEX_FILE, OCI_LAYOUT_FILE } from '../oci/layout.js';
import type { ObjectStore } from '../store/object-store.js';
import type { StoredDocument } from './registry.js';
import { directoryPrefix } from './root-prefix.js';
import { readDocument } from './stored-document.js';

/** Far more than any `oci-layout` needs; longer ones are refused. */
const MAX_OCI_LAYOUT_BYTES = 64 * 1024;

/** Where the layouts of a registry are. */
export interface LayoutPlace {
  readonly store: ObjectStore;
  /** Key prefix of the root: empty, or ending in a slash. */
  readonly root: string;
  /** False when the store answers 403 for absent keys. */
  readonly listable: boolean;
}

/** As `Registry.readIndex`, for a repository name that was checked. @throws StoreError */
export function readIndexDocument(
  { store, root, listable }: LayoutPlace,
  repository: string,
  options: { ifNoneMatch?: string; maxBytes: number; signal?: AbortSignal },
): Promise<StoredDocument | 'unchanged' | undefined> {
  const key = directoryPrefix(root, repository) + INDEX_FILE;
  return readDocument(store, key, { ...options, deniedIsAbsent: !listable });
}

/** The stored `oci-layout` of a repository, if there is one. @throws StoreError */
export async function readLayoutDocument(
  { store, root, listable }: LayoutPlace,
  repository: string,
  signal?: AbortSignal,
): Promise<StoredDocument | undefined> {
  const key = directoryPrefix(root, repository) + OCI_LAYOUT_FILE;
  const document = await readDocument(store, key, {
    maxBytes: MAX_OCI_LAYOUT_BYTES,
    deniedIsAbsent: !listable,
    signal,
  });
  return document === 'unchanged' ? undefined : document;
}
