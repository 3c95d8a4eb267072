import { unpackZotState, ZOT_STATES } from '../fixtures/unpack.js';
import type { Keys, LayoutName } from '../images/layouts.js';
import { keysOf, LAYOUTS } from '../images/layouts.js';
import { corpus } from '../images/registry.js';
import { readKeys } from '../images/upload.js';
import { viewOfFixture } from './fixture-view.js';
import type { RepositoryView } from './view.js';
import { viewOfCorpus } from './view.js';

/** A registry's bucket: what is in it, and what a mount of it must show. */
export interface Bucket {
  readonly name: string;
  readonly keys: Keys;
  readonly mountOptions: readonly string[];
  readonly repositories: readonly RepositoryView[];
  /** The registry has lost bytes that its manifests name. */
  readonly lossy: boolean;
}

/** `repository:tag` of every tagged image in a bucket. */
export function imagesOf({ repositories }: Bucket): string[] {
  return repositories.flatMap(({ name, tags }) => tags.map((tag) => `${name}:${tag}`));
}

/** Every bucket of the interop tests: our images in each layout, and those a real zot wrote. */
export const BUCKETS: readonly Bucket[] = [...(await corpusBuckets()), ...(await zotBuckets())];

async function corpusBuckets(): Promise<Bucket[]> {
  const images = await corpus();
  const repositories = viewOfCorpus(images);
  return (Object.keys(LAYOUTS) as LayoutName[]).map((name) => ({
    name: `test images, ${name}`,
    keys: keysOf(images, name),
    mountOptions: LAYOUTS[name].mountOptions,
    repositories,
    lossy: false,
  }));
}

async function zotBuckets(): Promise<Bucket[]> {
  const buckets: Bucket[] = [];
  for (const state of ZOT_STATES) {
    const unpacked = await unpackZotState(state);
    const keys = await readKeys(unpacked.directory);
    await unpacked.remove();
    const repositories = viewOfFixture(keys, unpacked.expected);
    buckets.push({
      name: `zot ${state}`,
      keys,
      mountOptions: [],
      repositories,
      lossy: state === 'S9',
    });
  }
  return buckets;
}

/** @throws Error when there is none of this name. */
export function bucketNamed(name: string): Bucket {
  const found = BUCKETS.find((bucket) => bucket.name === name);
  if (found === undefined) throw new Error(`There is no bucket called "${name}".`);
  return found;
}
