import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalStore } from '../../src/store/local/local-store.js';

/** A local store in a temporary directory, with the objects of a test in it. */
export interface LocalBucket {
  readonly store: LocalStore;
  readonly directory: string;
  remove(): Promise<void>;
}

/**
 * Make a local store that holds `objects` by key.
 * @param parent where its directory is made; default that of temporary files
 */
export async function localBucket(
  objects: Readonly<Record<string, string | Uint8Array>>,
  parent = tmpdir(),
): Promise<LocalBucket> {
  const directory = await mkdtemp(join(parent, 'layoutfs-bucket-'));
  const store = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  for (const [key, body] of Object.entries(objects)) await store.put(key, Buffer.from(body));
  return { store, directory, remove: () => rm(directory, { recursive: true, force: true }) };
}
