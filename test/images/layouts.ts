import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Corpus, CorpusRepository } from './corpus.js';
import { OCI_LAYOUT } from './corpus.js';

/**
 * The ways in which the same images may lie in a store. Each is a function from the corpus to keys
 * and bytes, so that the same keys can be written to a directory or to a bucket.
 */
export const LAYOUTS = {
  /** One shared prefix, `storage/blobs`. */
  shared: { keys: shared, mountOptions: [] },
  /** zot's global blob store with its marker; the repositories hold no blobs at all. */
  blobstore: { keys: blobstore, mountOptions: [] },
  /** Every repository has all its blobs. */
  'per-repository': { keys: perRepository, mountOptions: [] },
  /** As zot dedupes on S3: one repository has the bytes, the others zero-byte placeholders. */
  placeholders: { keys: placeholders, mountOptions: [] },
  /** Half migrated: each blob in another place. */
  mixed: { keys: mixed, mountOptions: [] },
  /** OCI image layouts that no registry wrote. */
  plain: { keys: perRepository, mountOptions: ['--registry', 'plain'] },
  /** As `skopeo copy --dest-shared-blob-dir` leaves them. */
  'plain-shared-dir': {
    keys: plainSharedDirectory,
    mountOptions: ['--registry', 'plain', '--shared-blob-dir', 'shared'],
  },
} as const satisfies Record<
  string,
  { keys: (corpus: Corpus) => Keys; mountOptions: readonly string[] }
>;

export type LayoutName = keyof typeof LAYOUTS;

/** Objects of a store by key. */
export type Keys = Map<string, Buffer>;

const EMPTY = Buffer.alloc(0);

/** The keys of a corpus in one of the layouts. */
export function keysOf(corpus: Corpus, layout: LayoutName): Keys {
  return LAYOUTS[layout].keys(corpus);
}

/** The keys of one repository as a plain layout of its own: what a mount of it must look like. */
export function plainKeysOf(corpus: Corpus, repository: CorpusRepository): Keys {
  const keys: Keys = new Map([
    ['oci-layout', OCI_LAYOUT],
    ['index.json', repository.index],
  ]);
  for (const digest of repository.closure) keys.set(blobKey('', digest), blob(corpus, digest));
  return keys;
}

/** Write keys as files below `directory`. */
export async function writeKeys(directory: string, keys: Keys): Promise<void> {
  for (const [key, bytes] of keys) {
    const path = join(directory, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

function shared(corpus: Corpus): Keys {
  const keys = documents(corpus);
  for (const [digest, bytes] of corpus.blobs) keys.set(blobKey('storage', digest), bytes);
  return keys;
}

function blobstore(corpus: Corpus): Keys {
  const keys = documents(corpus);
  keys.set('_global_blobstore_migrated', Buffer.from('1'));
  addGlobalBlobStore(keys);
  for (const [digest, bytes] of corpus.blobs) keys.set(blobKey('_blobstore', digest), bytes);
  return keys;
}

function perRepository(corpus: Corpus): Keys {
  const keys = documents(corpus);
  for (const [repository, digest] of references(corpus)) {
    keys.set(blobKey(repository, digest), blob(corpus, digest));
  }
  return keys;
}

function placeholders(corpus: Corpus): Keys {
  const keys = documents(corpus);
  // Content alternates between the first and the last repository that has the blob, so that both
  // orders of placeholder and content occur.
  for (const [digest, repositories] of holders(corpus)) {
    const original = digest.charCodeAt(7) % 2 === 0 ? repositories[0] : repositories.at(-1);
    for (const repository of repositories) {
      const bytes = repository === original ? blob(corpus, digest) : EMPTY;
      keys.set(blobKey(repository, digest), bytes);
    }
  }
  return keys;
}

function mixed(corpus: Corpus): Keys {
  const keys = placeholders(corpus);
  addGlobalBlobStore(keys);
  for (const [position, [digest, repositories]] of [...holders(corpus)].sort().entries()) {
    const state = (['keep', 'storage', '_blobstore', 'copy', 'marker'] as const)[position % 5];
    if (state === 'keep' || state === undefined) continue;
    if (state === 'copy') {
      keys.set(blobKey('storage', digest), blob(corpus, digest));
      continue;
    }
    for (const repository of repositories) {
      if (state === 'marker') keys.set(blobKey(repository, digest), EMPTY);
      else keys.delete(blobKey(repository, digest));
    }
    const root = state === 'marker' ? '_blobstore' : state;
    keys.set(blobKey(root, digest), blob(corpus, digest));
  }
  return keys;
}

function plainSharedDirectory(corpus: Corpus): Keys {
  const keys = documents(corpus);
  for (const [digest, bytes] of corpus.blobs) {
    keys.set(`shared/${digest.replace(':', '/')}`, bytes);
  }
  return keys;
}

function documents(corpus: Corpus): Keys {
  const keys: Keys = new Map();
  for (const { name, index } of corpus.repositories) {
    keys.set(`${name}/oci-layout`, OCI_LAYOUT);
    keys.set(`${name}/index.json`, index);
  }
  return keys;
}

function addGlobalBlobStore(keys: Keys): void {
  keys.set('_blobstore/oci-layout', OCI_LAYOUT);
  keys.set('_blobstore/index.json', Buffer.from('{"schemaVersion":2,"manifests":null}'));
}

function references(corpus: Corpus): [repository: string, digest: string][] {
  return corpus.repositories.flatMap(({ name, closure }) =>
    closure.map((digest): [string, string] => [name, digest]),
  );
}

/** The repositories that have each digest, in their order. */
function holders(corpus: Corpus): Map<string, string[]> {
  const byDigest = new Map<string, string[]>();
  for (const [repository, digest] of references(corpus)) {
    byDigest.set(digest, [...(byDigest.get(digest) ?? []), repository]);
  }
  return byDigest;
}

function blobKey(root: string, digest: string): string {
  return `${root === '' ? '' : `${root}/`}blobs/${digest.replace(':', '/')}`;
}

function blob(corpus: Corpus, digest: string): Buffer {
  const bytes = corpus.blobs.get(digest);
  if (bytes === undefined) throw new Error(`The corpus lacks ${digest}.`);
  return bytes;
}
