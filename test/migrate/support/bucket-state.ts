import { createHash } from 'node:crypto';
import type { Digest } from '../../../src/oci/digest.js';
import { parseBlobKey } from '../../../src/registry/inventory/blob-key.js';
import type { ObjectStore } from '../../../src/store/object-store.js';

/** Key → size and SHA-256 of every object that is not ours. */
export type BucketState = Record<string, string>;

/** Everything stored below `root` but journals. */
export async function stateOf(store: ObjectStore, root = ''): Promise<BucketState> {
  const state: BucketState = {};
  for (const [key, bytes] of await readAll(store, root)) {
    if (key.startsWith('_layoutfs/')) continue;
    state[key] = `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
  }
  return state;
}

/** Digests of which at least one object has the bytes. */
export async function digestsWithContent(store: ObjectStore, root = ''): Promise<Set<Digest>> {
  const digests = new Set<Digest>();
  for (const [key, bytes] of await readAll(store, root)) {
    const digest = parseBlobKey(key)?.digest;
    if (digest === undefined || key.includes('/.uploads/')) continue;
    const [algorithm = '', encoded] = digest.split(':');
    if (createHash(algorithm).update(bytes).digest('hex') === encoded) digests.add(digest);
  }
  return digests;
}

/** The keys of our own, relative to the root. */
export async function ownKeys(store: ObjectStore, root = ''): Promise<string[]> {
  return (await listKeys(store, `${root}_layoutfs/`)).map((key) => key.slice(root.length));
}

async function readAll(store: ObjectStore, root: string): Promise<[string, Buffer][]> {
  const found: [string, Buffer][] = [];
  for (const key of await listKeys(store, root)) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await store.get(key)).body) chunks.push(chunk);
    found.push([key.slice(root.length), Buffer.concat(chunks)]);
  }
  return found;
}

async function listKeys(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page = await store.list({ prefix, ...(token !== undefined && { token }) });
    keys.push(...page.objects.map(({ key }) => key));
    token = page.next;
  } while (token !== undefined);
  return keys;
}
