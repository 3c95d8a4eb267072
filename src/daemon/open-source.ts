import { type Options } from '../config/options.js';
import { UsageError } from '../config/usage-error.js';
import type { Counters } from '../observe/counters.js';
import type { Log } from '../observe/log.js';
import { openRegistry } from '../registry/open.js';
import type { Registry } from '../registry/registry.js';
import type { ObjectStore, WritableObjectStore } from '../store/object-store.js';
import { openStore } from '../store/open.js';
import { formatSource, parseSource } from '../store/source.js';
import { HealthRecord } from './store-health.js';

export interface SourceRequest {
  /** As typed; undefined when `options.zotConfig` names the store. */
  readonly source: string | undefined;
  readonly options: Options;
  readonly stateDir: string;
  readonly log: Log;
  readonly counters: Counters;
  readonly signal?: AbortSignal | undefined;
}

/** A store, and a key prefix in it without a slash at its end. */
export interface StorePlace {
  readonly store: ObjectStore;
  readonly prefix: string;
}

/** A registry ready to be read, and the stores behind it. */
export interface OpenedSource {
  /** What `status` and the first column of `mount` show. */
  readonly name: string;
  readonly registry: Registry;
  /** What the user should know about the source, full sentences. */
  readonly warnings: readonly string[];
  /** The stores behind it, and where in each the registry lies as far as the source says. */
  readonly places: readonly StorePlace[];
  readonly health: HealthRecord;
  close(): Promise<void>;
}

/**
 * Open the store of a source, find out how its registry is laid out, and thereby whether the store
 * can be reached, the bucket exists and the credentials are good. At most a few LISTs and GETs,
 * whatever the registry's size.
 * @throws UsageError, SourceError, SourceRefusedError, StoreError
 */
export async function openSource(request: SourceRequest): Promise<OpenedSource> {
  const { zotConfig } = request.options;
  if (zotConfig === undefined) return openOne(request);
  if (request.source !== undefined) {
    throw new UsageError('Give either a source or --zot-config, not both.');
  }
  const { openZotConfig } = await import('./open-zot-config.js');
  return openZotConfig(zotConfig, request);
}

/** The writing half of what was opened; kept apart, so that a mount never has it in hand. */
const writers = new WeakMap<ObjectStore, WritableObjectStore>();

/** `store` as commands and mounts get it: watched, and read-only. */
export function watchStore(store: WritableObjectStore, health: HealthRecord): ObjectStore {
  const watched = health.watch(store);
  writers.set(watched, store);
  return watched;
}

/**
 * The store behind one of {@link OpenedSource.registry}'s areas with its writing verbs: for the
 * commands that change buckets, and for nothing else.
 * @throws Error for a store that {@link openSource} did not open, which is a mistake of the caller
 */
export function writableStore(store: ObjectStore): WritableObjectStore {
  const writable = writers.get(store);
  if (writable === undefined) throw new Error(`${store.name} was not opened to be written.`);
  return writable;
}

async function openOne(request: SourceRequest): Promise<OpenedSource> {
  const { options, log, counters } = request;
  if (request.source === undefined) {
    throw new UsageError('Name a source, such as s3://bucket/prefix or file:///srv/registry.');
  }
  const source = parseSource(request.source);
  const health = new HealthRecord();
  const store = watchStore(
    await openStore(source, { ...storeOptions(options), counters, log }),
    health,
  );
  try {
    const registry = await openRegistry({
      ...registryOptions(request),
      store,
      prefix: source.prefix,
      ...(options.registry !== undefined && { kind: options.registry }),
      ...(options.root !== undefined && { root: options.root }),
      ...(options.sharedBlobDir !== undefined && { sharedBlobDir: options.sharedBlobDir }),
    });
    return {
      name: formatSource(source),
      registry,
      warnings: registry.warnings,
      places: [{ store, prefix: options.root ?? source.prefix }],
      health,
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The store's deadlines and budget, from the options that set them. */
export function storeOptions({ requestTimeout, connections }: Options) {
  return { deadline: { requestMs: requestTimeout, idleMs: requestTimeout }, connections };
}

/** What every registry of a source is opened with. */
export function registryOptions({ options, stateDir, log, counters, signal }: SourceRequest) {
  return {
    stateDir,
    refreshMs: options.refresh,
    log,
    counters,
    ...(signal !== undefined && { signal }),
  };
}
