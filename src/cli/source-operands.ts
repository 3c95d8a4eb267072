import type { Options } from '../config/options.js';
import { UsageError } from '../config/usage-error.js';
import type { Registry } from '../registry/registry.js';

/** What the words of a command that works on a whole source name. */
export interface SourceOperands {
  /** Undefined where a zot configuration names the store. */
  readonly source: string | undefined;
  readonly repositories: readonly string[];
}

/**
 * The words `[source] [repository…]`, without the source where a zot configuration stands for it.
 * Slashes around names do not matter.
 */
export function chooseRepositories(operands: readonly string[], options: Options): SourceOperands {
  const fromConfig = options.zotConfig !== undefined;
  const [source, ...rest] = fromConfig ? [undefined, ...operands] : operands;
  return { source, repositories: rest.map((name) => (name ?? '').replace(/^\/+|\/+$/g, '')) };
}

/**
 * @throws UsageError where not all that matters can be listed
 */
export function assertListable(registry: Registry, name: string): void {
  if (!registry.listable) {
    throw new Error(
      `${name} refuses to be listed, so what is stored cannot be compared with what is needed: ` +
        'grant the permission to list it (s3:ListBucket).',
    );
  }
  const elsewhere = registry.areas.find(({ blobsElsewhere }) => blobsElsewhere !== undefined);
  if (elsewhere === undefined) return;
  throw new UsageError(
    `The shared blobs at ${elsewhere.blobsElsewhere ?? ''} lie outside of the root ` +
      `${elsewhere.root}: name a root that contains both, as in --root / with the blobs' full path.`,
  );
}

/** @throws Error when one of the `named` repositories is not among those `found` */
export function assertExist(
  named: readonly string[],
  found: readonly string[],
  source: string,
): void {
  const all = new Set(found);
  const absent = named.find((one) => !all.has(one));
  if (absent === undefined) return;
  throw new Error(`There is no repository "${absent}" in ${source}: "layoutfs ls" lists them all.`);
}
