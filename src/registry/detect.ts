import { isStoreError } from '../store/errors.js';
import type { ObjectStore } from '../store/object-store.js';
import type { SeenDirectories } from './directory.js';
import { examineRoot, type RootFacts } from './detect/examine-root.js';
import { findRoot, type RootFinding } from './detect/find-root.js';
import { refuseDistribution } from './detect/other-registries.js';
import { FirstPages } from './detect/pages.js';
import { looksPlain } from './detect/plain-hint.js';
import { deeperRoot, doubledBeside } from './detect/deeper-root.js';
import { RootNotFoundError } from './errors.js';
import { allowListing, checkPlace, sourceAt } from './place-advice.js';
import { showPrefix, toPrefix } from './root-prefix.js';

export { AmbiguousRootError, NotARegistryError, RootNotFoundError } from './errors.js';

export interface DetectOptions {
  readonly store: ObjectStore;
  /** Where to look, as the source names it. */
  readonly prefix: string;
  /** A root that is taken as it is: a key prefix from the top of the store, not from `prefix`. */
  readonly root?: string | undefined;
  /** Nothing needs to be stored below an explicit root yet. */
  readonly mayBeEmpty?: boolean | undefined;
  /** The user said that this is zot's: other registries are not looked for. */
  readonly certain?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What was found out about a source, by at most ten delimited LISTs. */
export interface Detection {
  /** Key prefix of the root. */
  readonly root: string;
  readonly listable: boolean;
  readonly facts: RootFacts;
  /** Full sentences for the user. */
  readonly warnings: readonly string[];
  /** Those of which everything was seen. */
  readonly directories: SeenDirectories;
}

const UNKNOWN_FACTS: RootFacts = {
  empty: false,
  seen: { repository: false, blobstore: false, storage: false },
  hidden: new Set(),
  markers: [],
  layout: 'unknown',
};

/**
 * Find the root of a registry and what its first pages show. Costs the same however many
 * repositories there are.
 * @throws StoreError when the store fails; a refused LIST is no failure but `listable: false`.
 * @throws AmbiguousRootError, RootNotFoundError, NotARegistryError
 */
export async function detect(options: DetectOptions): Promise<Detection> {
  const { store, signal } = options;
  const pages = new FirstPages(store, signal);
  const given = toPrefix(options.root ?? options.prefix);
  if (!(await pages.mayList(given))) return withoutListing(store, given, options);
  const finding: RootFinding =
    options.root === undefined
      ? await findRoot(pages, store.name, given)
      : { root: given, strays: [], outside: given };
  const facts = await examineRoot(pages, finding.root);
  if (options.root !== undefined && facts.empty && options.mayBeEmpty !== true) {
    throw rootNotFound(store, options.root);
  }
  if (options.certain !== true) await refuseDistribution(pages, store, finding.root, facts);
  const warnings = [
    ...strayWarnings(finding),
    ...(await layoutWarnings(pages, store, finding.root, facts)),
    ...(options.root === undefined ? deeperRootWarnings(pages, store, finding.root, facts) : []),
  ];
  return { root: finding.root, listable: true, facts, warnings, directories: pages.whole };
}

function rootNotFound(store: ObjectStore, root: string): RootNotFoundError {
  const hint = root.startsWith('/')
    ? ` Keys rarely begin with a slash: try --root ${root.replace(/^\/+/, '')}.`
    : ' Check it against the keys of the store: a root is a whole key prefix.';
  return new RootNotFoundError(`Nothing is stored below the root ${root} of ${store.name}.${hint}`);
}

function strayWarnings({ root, strays, outside }: RootFinding): string[] {
  if (strays.length === 0) return [];
  const shown = strays.slice(0, 5).join(', ') + (strays.length > 5 ? ', …' : '');
  return [
    `The root is ${showPrefix(root)}, so what else lies below ${showPrefix(outside)} is not shown: ` +
      `${shown}. If that is wrong, name the root with --root.`,
  ];
}

async function layoutWarnings(
  pages: FirstPages,
  store: ObjectStore,
  root: string,
  facts: RootFacts,
): Promise<string[]> {
  const place = `${showPrefix(root)} of ${store.name}`;
  if (facts.empty) return [`Nothing is stored below ${place}: ${checkPlace(store)}.`];
  if (facts.layout !== 'none') return [];
  const plain = await looksPlain(pages, root);
  if (plain !== undefined) {
    return [
      `${plain} of ${store.name} is no repository of a registry but looks like an OCI image layout: ` +
        'if these are layouts that other tools wrote, use --registry plain.',
    ];
  }
  return [`No repository was found below ${place}: ${checkPlace(store)}.`];
}

/** A whole bucket copied below a prefix is mounted as its prefix says, with long names. */
function deeperRootWarnings(
  pages: FirstPages,
  store: ObjectStore,
  root: string,
  facts: RootFacts,
): string[] {
  const deeper = deeperRoot(pages, root, facts);
  if (deeper === undefined) {
    const doubled = doubledBeside(pages, root);
    if (doubled === undefined) return [];
    return [
      `zot writes its root directory twice, and there is ${showPrefix(doubled)}: if that is your ` +
        `registry's root, use --root ${showPrefix(doubled)}.`,
    ];
  }
  const shown = showPrefix(deeper);
  return [
    `All repositories lie below ${shown}: name it in the source (${sourceAt(store, deeper)}) or ` +
      `use --root ${shown} if that is your registry's root.`,
  ];
}

/** Without LIST only the keys that zot keeps at its root can tell where the root is. */
async function withoutListing(
  store: ObjectStore,
  given: string,
  options: DetectOptions,
): Promise<Detection> {
  const doubled = given + given;
  const isDoubled =
    options.root === undefined && given !== '' && (await hasRootKeys(store, doubled, options));
  const root = isDoubled ? doubled : given;
  const warnings = [
    `${store.name} refuses to list ${showPrefix(given)}: directories cannot be shown, only ` +
      'repositories opened by name, and absent blobs cannot be told from forbidden ones (403). ' +
      `${allowListing(store)} to change that.`,
    ...(options.root === undefined && !isDoubled && given !== ''
      ? [
          `The root is taken to be ${showPrefix(given)}; if zot was configured with it as its ` +
            `rootdirectory, use --root ${showPrefix(doubled)}.`,
        ]
      : []),
  ];
  return { root, listable: false, facts: UNKNOWN_FACTS, warnings, directories: new Map() };
}

async function hasRootKeys(
  store: ObjectStore,
  root: string,
  { signal }: DetectOptions,
): Promise<boolean> {
  for (const name of ['_restore_complete', '_global_blobstore_migrated', '_blobstore/oci-layout']) {
    try {
      (await store.get(root + name, signal === undefined ? {} : { signal })).cancel();
      return true;
    } catch (error) {
      if (!isStoreError(error, 'NotFound', 'AccessDenied')) throw error;
    }
  }
  return false;
}
