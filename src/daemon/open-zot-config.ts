import { readFile } from 'node:fs/promises';
import { UsageError } from '../config/usage-error.js';
import { RootNotFoundError } from '../registry/errors.js';
import { openRegistry } from '../registry/open.js';
import type { Registry } from '../registry/registry.js';
import { RoutedRegistry, type Route } from '../registry/routed.js';
import { readZotConfig, type ZotStore } from '../registry/zot/config.js';
import type { ObjectStore, WritableObjectStore } from '../store/object-store.js';
import { openStore } from '../store/open.js';
import { formatSource } from '../store/source.js';
import {
  type OpenedSource,
  type StorePlace,
  registryOptions,
  storeOptions,
  type SourceRequest,
  watchStore,
} from './open-source.js';
import { HealthRecord } from './store-health.js';

/**
 * Open the stores of a zot configuration as one registry.
 * @throws UsageError when the file cannot be read, ZotConfigError when it cannot be followed, and
 *   what opening each store throws
 */
export async function openZotConfig(path: string, request: SourceRequest): Promise<OpenedSource> {
  const { stores: zotStores, warnings } = readZotConfig(await readConfigFile(path), path);
  for (const warning of warnings) request.log.warn({ config: path }, warning);
  const health = new HealthRecord();
  const places: StorePlace[] = [];
  const close = async () => {
    await Promise.all(places.map(({ store }) => store.close()));
  };
  try {
    const routes: Route[] = [];
    for (const zotStore of zotStores) {
      const store = watchStore(await openOneStore(zotStore, request), health);
      places.push({ store, prefix: zotStore.root });
      routes.push({
        route: zotStore.route,
        registry: await openRoot(zotStore, store, request),
        store: store.name,
        root: zotStore.root,
      });
    }
    const [fallback, ...others] = routes;
    if (fallback === undefined) throw new UsageError(`${path} names no store.`);
    const registry = others.length === 0 ? fallback.registry : new RoutedRegistry(fallback, others);
    return {
      name: nameOf(zotStores, path),
      registry,
      warnings: [...warnings, ...registry.warnings],
      places,
      health,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readConfigFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(
      `The zot configuration ${path} cannot be read: ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

function openOneStore(
  { source, credentials, skipVerify }: ZotStore,
  { options, log, counters }: SourceRequest,
): Promise<WritableObjectStore> {
  return openStore(source, {
    ...storeOptions(options),
    counters,
    log,
    access: {
      ...(credentials !== undefined && { credentials }),
      ...(skipVerify !== undefined && { skipVerify }),
    },
  });
}

/** The configuration says where the root is; one that is still empty is no mistake. */
async function openRoot(
  { root }: ZotStore,
  store: ObjectStore,
  request: SourceRequest,
): Promise<Registry> {
  const common = { ...registryOptions(request), store, prefix: root, kind: 'zot' } as const;
  try {
    return await openRegistry({ ...common, root });
  } catch (error) {
    if (!(error instanceof RootNotFoundError)) throw error;
    return openRegistry(common);
  }
}

/** The URL of the only store; several have no common one. */
function nameOf(stores: readonly ZotStore[], path: string): string {
  const [only, another] = stores;
  if (only === undefined || another !== undefined) return `zot-config:${path}`;
  const { source, root } = only;
  return formatSource(source.kind === 's3' ? { ...source, prefix: root } : source);
}
