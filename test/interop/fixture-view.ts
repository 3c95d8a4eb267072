import { createHash } from 'node:crypto';

import type { ExpectedRepository } from '../fixtures/unpack.js';
import type { Keys } from '../images/layouts.js';
import type { RepositoryView } from './view.js';

/**
 * What a mount of a fixture must show, put together from the keys by content alone: a blob is any
 * stored object that has its digest, wherever it lies.
 * @throws Error when the keys do not have what `expected` promises.
 */
export function viewOfFixture(
  keys: Keys,
  expected: Readonly<Record<string, ExpectedRepository>>,
): RepositoryView[] {
  const byDigest = contentByDigest(keys);
  const root = rootPrefix(keys);
  return Object.entries(expected)
    .filter(([, { absent }]) => !absent)
    .map(([name, { tags, blobs, index_sha256: indexHash }]) => {
      const index = keys.get(`${root}${name}/index.json`);
      const layout = keys.get(`${root}${name}/oci-layout`);
      if (index === undefined || layout === undefined || hash('sha256', index) !== indexHash) {
        throw new Error(`The fixture has no repository ${name} as expected.json describes it.`);
      }
      const files: Keys = new Map([
        ['oci-layout', layout],
        ['index.json', index],
      ]);
      for (const digest of blobs) {
        const bytes = byDigest.get(digest);
        if (bytes === undefined) throw new Error(`The fixture has no object with ${digest}.`);
        files.set(`blobs/${digest.replace(':', '/')}`, bytes);
      }
      return { name, tags: Object.keys(tags), files };
    });
}

/** Every object below a `blobs/ALGORITHM/` whose bytes hash to its name. */
function contentByDigest(keys: Keys): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const [key, bytes] of keys) {
    const [, algorithm, encoded] = /(?:^|\/)blobs\/([a-z0-9]+)\/([a-f0-9]+)$/.exec(key) ?? [];
    if (algorithm === undefined || encoded === undefined) continue;
    if (hash(algorithm, bytes) === encoded) found.set(`${algorithm}:${encoded}`, bytes);
  }
  return found;
}

/** Where the repositories lie: `a` is in every fixture. */
function rootPrefix(keys: Keys): string {
  for (const key of keys.keys()) {
    if (/^(?:zot\/zot\/)?a\/index\.json$/.test(key)) return key.slice(0, -'a/index.json'.length);
  }
  throw new Error('The fixture has no repository "a".');
}

function hash(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
