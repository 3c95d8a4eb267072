import type { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import type { ObjectStore } from '../store/object-store.js';
import { isStoreError } from '../store/errors.js';
import { detect, type Detection } from './detect.js';
import { readDirectory } from './directory.js';
import { isEmptyPage } from './detect/pages.js';
import { RootNotFoundError, SourceRefusedError } from './errors.js';
import { isFileName } from './names.js';
import { allowListing, checkPlace } from './place-advice.js';
import { PlainRegistry } from './plain/plain-registry.js';
import type { Registry } from './registry.js';
import { showPrefix, toPrefix } from './root-prefix.js';
import { ZotRegistry } from './zot/zot-registry.js';

export interface OpenRegistryOptions {
  readonly store: ObjectStore;
  /** Where in the store to look, as the source names it; slashes at its end do not matter. */
  readonly prefix: string;
  /** What wrote the store; without it the source is taken as zot's, which plain layouts fit too. */
  readonly kind?: 'zot' | 'plain' | undefined;
  /** An explicit root: a key prefix from the top of the store. */
  readonly root?: string | undefined;
  /** Nothing needs to be stored below an explicit root yet: a registry's configuration names it. */
  readonly mayBeEmpty?: boolean | undefined;
  /**
   * Plain layouts only: the directory that holds the blobs of all of them, relative to the root, or
   * with a slash in front from the top of the store.
   */
  readonly sharedBlobDir?: string | undefined;
  /** Where the places of blobs are kept. */
  readonly stateDir: string;
  readonly refreshMs: number;
  readonly log: Log;
  readonly counters: Counters;
  /** Ends detection, and later any listing that runs in the background. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Find out what a store holds and open it. What the user should know is logged and in
 * {@link Registry.warnings}.
 * @throws SourceRefusedError (AmbiguousRootError, RootNotFoundError, NotARegistryError)
 * @throws StoreError
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<Registry> {
  const { store, log } = options;
  if (options.sharedBlobDir !== undefined && options.kind === 'zot') {
    throw new SourceRefusedError(
      'A shared blob directory belongs to plain layouts: use --registry plain with --shared-blob-dir.',
    );
  }
  const isPlain = options.kind === 'plain' || options.sharedBlobDir !== undefined;
  const registry = isPlain ? await openPlain(options) : await openZot(options);
  log.info({ store: store.name, listable: registry.listable }, `Opened ${registry.description}.`);
  for (const warning of registry.warnings) log.warn({ store: store.name }, warning);
  return registry;
}

async function openZot(options: OpenRegistryOptions): Promise<Registry> {
  const { store, prefix, root, mayBeEmpty, kind, signal } = options;
  const certain = kind === 'zot';
  const detection = await detect({ store, prefix, root, mayBeEmpty, certain, signal });
  const { facts, listable, warnings } = detection;
  return new ZotRegistry({
    ...options,
    root: detection.root,
    listable,
    warnings,
    description: describeZot(store, detection),
    recognised: isRecognised(detection),
    seen: facts.seen,
    hidden: facts.hidden,
    seenDirectories: detection.directories,
  });
}

function isRecognised({ facts }: Detection): boolean {
  const { seen, markers, layout } = facts;
  return typeof layout === 'object' || seen.blobstore || seen.storage || markers.length > 0;
}

function describeZot(store: ObjectStore, { root, listable, facts }: Detection): string {
  const { seen, markers, hidden } = facts;
  const places = [
    ...(seen.repository ? ['per repository'] : []),
    // A repository called "storage" has its blobs there too: then nothing is hidden.
    ...(seen.storage && hidden.size > 0 ? ['in storage/blobs'] : []),
    ...(seen.blobstore ? ['in _blobstore/blobs'] : []),
  ];
  const blobs = places.length === 0 ? '' : `, blobs ${places.join(' and ')}`;
  const marks = markers.length === 0 ? '' : `, marked ${markers.join(' and ')}`;
  const denied = listable ? '' : ', not listable';
  return `a zot registry at ${showPrefix(root)} of ${store.name}${blobs}${marks}${denied}`;
}

async function openPlain(options: OpenRegistryOptions): Promise<Registry> {
  const { store, prefix, sharedBlobDir } = options;
  const root = toPrefix(options.root ?? prefix);
  const { listable, recognised, warnings } = await lookAtPlain(options, root);
  const sharedBlobs =
    sharedBlobDir === undefined ? undefined : sharedBlobPrefix(root, sharedBlobDir);
  const blobs = sharedBlobs === undefined ? '' : `, all blobs in ${showPrefix(sharedBlobs)}`;
  return new PlainRegistry({
    ...options,
    root,
    listable,
    recognised,
    warnings,
    description: `plain OCI image layouts at ${showPrefix(root)} of ${store.name}${blobs}`,
    sharedBlobs,
  });
}

async function lookAtPlain(
  { store, root: explicit, mayBeEmpty, signal }: OpenRegistryOptions,
  root: string,
): Promise<{ listable: boolean; recognised: boolean; warnings: string[] }> {
  try {
    const page = await readDirectory(store, root, { firstNames: 10, signal });
    if (!isEmptyPage(page)) return { listable: true, recognised: true, warnings: [] };
    const message = `Nothing is stored below ${showPrefix(root)} of ${store.name}: ${checkPlace(store)}.`;
    if (explicit !== undefined && mayBeEmpty !== true) throw new RootNotFoundError(message);
    return { listable: true, recognised: false, warnings: [message] };
  } catch (error) {
    if (!isStoreError(error, 'AccessDenied')) throw error;
    return {
      listable: false,
      recognised: false,
      warnings: [
        `${store.name} refuses to list ${showPrefix(root)}: directories cannot be shown, only ` +
          `layouts opened by name. ${allowListing(store)} to change that.`,
      ],
    };
  }
}

/**
 * The key prefix of a shared blob directory.
 * @throws SourceRefusedError when it is no path of a store.
 */
function sharedBlobPrefix(root: string, directory: string): string {
  const relative = directory.replace(/^\/+/, '').replace(/\/+$/, '');
  if (!relative.split('/').every(isFileName)) {
    throw new SourceRefusedError(
      `The shared blob directory ${JSON.stringify(directory)} is no path in the store: name it ` +
        'relative to the root, as in shared/blobs, or from the top of the store, as in /shared/blobs.',
    );
  }
  return `${directory.startsWith('/') ? '' : root}${relative}/`;
}
