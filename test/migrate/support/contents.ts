import type { ObjectStore } from '../../../src/store/object-store.js';
import { BLOB_ROOTS } from '../../../src/registry/zot/blob-roots.js';
import { sha256 } from './bucket-builder.js';

/** Every object of a store by key, our own journals and locks left out. */
export async function contentsOf(store: ObjectStore): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  let token: string | undefined;
  do {
    const page = await store.list({ prefix: '', ...(token !== undefined && { token }) });
    for (const { key } of page.objects) {
      if (!/(?:^|\/)_layoutfs\//.test(key)) contents.set(key, await textOf(store, key));
    }
    token = page.next;
  } while (token !== undefined);
  return contents;
}

async function textOf(store: ObjectStore, key: string): Promise<string> {
  const { body } = await store.get(key);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

/** The SHA-256 digests of which some object has the right bytes. */
export function digestsWithBytes(contents: ReadonlyMap<string, string>): Set<string> {
  const found = new Set<string>();
  for (const [key, text] of contents) {
    const digest = digestIn(key);
    if (digest !== undefined && sha256(Buffer.from(text, 'latin1')) === digest) found.add(digest);
  }
  return found;
}

/** The SHA-256 digest that a key names. */
export function digestIn(key: string): string | undefined {
  const name = /(?:^|\/)blobs\/sha256\/([0-9a-f]{64})$/.exec(key)?.[1];
  return name === undefined ? undefined : `sha256:${name}`;
}

/**
 * What the rebuild of zot (main, 6d19b445) with dedupe on makes of a bucket when it starts, as seen:
 * of each digest, in the order of keys, the first object with bytes is the original, and every object
 * after the first one is overwritten with zero bytes, the original too where it is not the first.
 */
export function rebuiltByZot(contents: ReadonlyMap<string, string>): Map<string, string> {
  const after = new Map(contents);
  const byDigest = new Map<string, string[]>();
  const keys = [...contents.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const key of keys) {
    const digest = digestIn(key);
    if (digest === undefined || BLOB_ROOTS.some((root) => key.startsWith(`${root}/`))) continue;
    byDigest.set(digest, [...(byDigest.get(digest) ?? []), key]);
  }
  for (const [first, ...others] of byDigest.values()) {
    if (first === undefined) continue;
    for (const key of others) after.set(key, '');
  }
  return after;
}
