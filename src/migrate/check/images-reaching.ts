import type { Descriptor } from '../../oci/descriptor.js';
import type { Digest } from '../../oci/digest.js';

/** What a manifest points at, as far as it is known. */
export type KnownChildren = (digest: Digest) => readonly Descriptor[] | undefined;

/**
 * Which entries of an index reach which of the `wanted` digests: `tag` or `@digest`, in the order of
 * the index. Each manifest is looked at once for all entries.
 */
export function imagesReaching(
  wanted: ReadonlySet<Digest>,
  roots: readonly Descriptor[],
  children: KnownChildren,
): Map<Digest, string[]> {
  const images = new Map<Digest, string[]>([...wanted].map((digest) => [digest, []]));
  const reached = new Map<Digest, ReadonlySet<Digest>>();
  for (const root of roots) {
    const name = root.refName ?? `@${root.digest}`;
    for (const digest of reachOf(root.digest, wanted, children, reached)) {
      const names = images.get(digest);
      if (names !== undefined && !names.includes(name)) names.push(name);
    }
  }
  return images;
}

/** Those of `wanted` that `digest` reaches, itself included; cycles end at what is under way. */
function reachOf(
  digest: Digest,
  wanted: ReadonlySet<Digest>,
  children: KnownChildren,
  reached: Map<Digest, ReadonlySet<Digest>>,
): ReadonlySet<Digest> {
  const known = reached.get(digest);
  if (known !== undefined) return known;
  const found = new Set<Digest>(wanted.has(digest) ? [digest] : []);
  reached.set(digest, found);
  for (const child of children(digest) ?? []) {
    for (const below of reachOf(child.digest, wanted, children, reached)) found.add(below);
  }
  return found;
}
