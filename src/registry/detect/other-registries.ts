import type { ObjectStore } from '../../store/object-store.js';
import { NotARegistryError } from '../errors.js';
import { showPrefix } from '../root-prefix.js';
import type { RootFacts } from './examine-root.js';
import type { FirstPages } from './pages.js';

/**
 * Where the distribution project's registry keeps everything
 * (https://github.com/distribution/distribution/blob/main/registry/storage/paths.go).
 */
const DISTRIBUTION = ['docker', 'registry', 'v2'];

/**
 * Refuse a root without repositories that holds a registry of the distribution project: mounting
 * it would show nothing, without a word why.
 * @throws NotARegistryError
 * @throws StoreError
 */
export async function refuseDistribution(
  pages: FirstPages,
  store: ObjectStore,
  root: string,
  facts: RootFacts,
): Promise<void> {
  if (typeof facts.layout === 'object') return;
  for (const prefix of await possiblePrefixes(pages, root)) {
    const page = await pages.read(prefix);
    const names = page?.directories ?? [];
    if (!names.includes('repositories') && !names.includes('blobs')) continue;
    throw new NotARegistryError(
      `${showPrefix(prefix)} of ${store.name} is the storage of a registry of the distribution ` +
        'project (Docker registry, Harbor, GitLab). That layout is not supported yet; zot registries ' +
        'and plain OCI image layouts are.',
    );
  }
}

/** Prefixes of `docker/registry/v2/` at, around or one directory below the root. */
async function possiblePrefixes(pages: FirstPages, root: string): Promise<string[]> {
  const page = await pages.read(root);
  const below = page?.directories ?? [];
  const around = DISTRIBUTION.map((_, depth) => DISTRIBUTION.slice(0, depth + 1))
    .filter((parts) => `/${root}`.endsWith(`/${parts.join('/')}/`))
    .map(
      (parts) =>
        root +
        DISTRIBUTION.slice(parts.length)
          .map((name) => `${name}/`)
          .join(''),
    );
  const tail = `${DISTRIBUTION.join('/')}/`;
  const at = below.includes('docker') ? [root + tail] : [];
  const only = below.length === 1 && below[0] !== 'docker' ? [`${root}${below[0] ?? ''}/`] : [];
  const inside: string[] = [];
  for (const prefix of only) {
    if ((await pages.read(prefix))?.directories.includes('docker')) inside.push(prefix + tail);
  }
  return [...around, ...at, ...inside];
}
