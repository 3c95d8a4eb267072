import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { type Keys, keysOf, writeKeys } from '../../images/layouts.js';
import { OCI_LAYOUT, REF_NAME, type StoredDescriptor } from '../../images/corpus.js';
import { makeTemporaryDirectory } from '../../support/temporary-directory.js';
import { blobCase } from './blob-case.js';
import { corpusOf } from './images.js';

/** A healthy repository beside broken ones: it must stay readable whatever they do. */
export const GOOD = { repository: 'good', blob: blobCase('good', 100_000) };

/** A registry in a directory, in the shared layout. */
export interface LocalRegistry {
  readonly directory: string;
  /** Absolute path of a key. */
  path(key: string): string;
  write(keys: Iterable<readonly [string, Buffer]>): Promise<void>;
  remove(): Promise<void>;
}

/** Make a registry with the repository {@link GOOD}. */
export async function makeLocalRegistry(): Promise<LocalRegistry> {
  const directory = await makeTemporaryDirectory('registry');
  await writeKeys(directory, keysOf(corpusOf({ [GOOD.repository]: [GOOD.blob.image] }), 'shared'));
  return {
    directory,
    path: (key) => join(directory, key),
    write: (keys) => writeKeys(directory, new Map(keys)),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** The keys of a repository with such an `index.json`, whatever is in it. */
export function repositoryKeys(name: string, index: Buffer | string): Keys {
  return new Map([
    [`${name}/oci-layout`, OCI_LAYOUT],
    [`${name}/index.json`, Buffer.from(index)],
  ]);
}

/** An `index.json` of these entries, which need be no descriptors. */
export function indexOf(entries: readonly unknown[]): string {
  return JSON.stringify({ schemaVersion: 2, manifests: entries });
}

/** A descriptor under a tag, with something of it changed. */
export function tagged(
  descriptor: StoredDescriptor,
  tag: string,
  changes: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { ...descriptor, annotations: { [REF_NAME]: tag }, ...changes };
}
