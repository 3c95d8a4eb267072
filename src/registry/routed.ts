import type { Descriptor } from '../oci/descriptor.js';
import type { Digest } from '../oci/digest.js';
import { compareBytes } from './inventory/inventory.js';
import { findShadowed, isLayoutName } from './inventory/shadowed.js';
import type {
  BlobLocation,
  DirectoryListing,
  Registry,
  RegistryArea,
  RegistryScan,
  ScanOptions,
  SeenListing,
  StoredDocument,
} from './registry.js';
import { toPrefix } from './root-prefix.js';

/** One store of a registry that has several. */
export interface Route {
  /** First component of the names that are kept here; empty for the default store. */
  readonly route: string;
  readonly registry: Registry;
  /** Name of the store, to tell whether two routes overlap. */
  readonly store: string;
  /** Key prefix of the root in it. */
  readonly root: string;
}

type Wanted = Pick<Descriptor, 'digest' | 'size'>;

/**
 * Several registries as one tree, as zot's `subPaths` make it: a name of two or more components is
 * kept in the store of its first one, whole; a name of one component always in the default store.
 * Placeholders are never resolved across stores, since zot never dedupes across them.
 */
export class RoutedRegistry implements Registry {
  readonly kind = 'routed';
  readonly description: string;
  readonly warnings: readonly string[];
  readonly listable: boolean;
  readonly recognised: boolean;
  readonly areas: readonly RegistryArea[];
  readonly #default: Registry;
  readonly #routes: ReadonlyMap<string, Registry>;
  readonly #owners = new WeakMap<BlobLocation, Registry>();

  constructor(fallback: Omit<Route, 'route'>, routes: readonly Route[]) {
    const all = [{ ...fallback, route: '' }, ...routes];
    this.#default = fallback.registry;
    this.#routes = new Map(routes.map(({ route, registry }) => [route, registry]));
    this.listable = all.every(({ registry }) => registry.listable);
    this.areas = all.flatMap(({ registry }) =>
      registry.areas.map((area) => ({
        ...area,
        serves: (name: string) => this.#of(name) === registry && area.serves(name),
      })),
    );
    this.recognised = all.some(({ registry }) => registry.recognised);
    this.description = all
      .map(({ route, registry }) => `/${route}: ${registry.description}`)
      .join('; ');
    this.warnings = [...all.flatMap(({ registry }) => registry.warnings), ...overlaps(all)];
  }

  isComponent(name: string): boolean {
    return this.#default.isComponent(name);
  }

  scope(repository: string): string {
    return this.#of(repository).scope(repository);
  }

  sharesBlobs(repository: string): boolean {
    return this.#of(repository).sharesBlobs(repository);
  }

  async list(path: string, signal?: AbortSignal): Promise<DirectoryListing> {
    if (path === '') return this.#listRoot(signal);
    const routed = this.#routes.get(path);
    if (routed === undefined) return this.#of(path).list(path, signal);
    const [own, below] = await Promise.all([
      this.#default.list(path, signal),
      routed.list(path, signal),
    ]);
    const { repository } = own;
    const unreachable = own.children.map((name) => `${path}/${name}/`);
    return {
      ...(repository === undefined ? {} : { repository }),
      children: below.children.filter((name) => repository === undefined || !isLayoutName(name)),
      empty: own.empty && below.empty,
      ignored: [...own.ignored, ...unreachable, ...below.ignored],
    };
  }

  /** Where two stores are shown as one directory, neither of them has seen all of it. */
  takeSeen(path: string): SeenListing | undefined {
    if (path === '' || this.#routes.has(path)) return undefined;
    return this.#of(path).takeSeen(path);
  }

  readIndex(
    repository: string,
    options: { ifNoneMatch?: string; maxBytes: number; signal?: AbortSignal },
  ): Promise<StoredDocument | 'unchanged' | undefined> {
    return this.#of(repository).readIndex(repository, options);
  }

  readOciLayout(repository: string, signal?: AbortSignal): Promise<StoredDocument | undefined> {
    return this.#of(repository).readOciLayout(repository, signal);
  }

  candidates(repository: string, digest: Digest): readonly BlobLocation[] {
    const registry = this.#of(repository);
    return this.#own(registry, registry.candidates(repository, digest));
  }

  succeeded(location: BlobLocation): void {
    this.#owners.get(location)?.succeeded(location);
  }

  failed(location: BlobLocation): void {
    this.#owners.get(location)?.failed(location);
  }

  async locate(
    repository: string,
    wanted: Wanted,
    signal?: AbortSignal,
  ): Promise<readonly BlobLocation[]> {
    const registry = this.#of(repository);
    return this.#own(registry, await registry.locate(repository, wanted, signal));
  }

  located(repository: string, wanted: Wanted): readonly BlobLocation[] | undefined {
    const registry = this.#of(repository);
    const locations = registry.located(repository, wanted);
    return locations === undefined ? undefined : this.#own(registry, locations);
  }

  /** Each store on its own: what one of them lost is lost, whatever another holds. */
  async scan(options: ScanOptions = {}): Promise<RegistryScan> {
    const { signal, onProgress } = options;
    const progress = new Map<Registry, number>();
    const scanOne = async (registry: Registry): Promise<RegistryScan> => {
      const scan = await registry.scan({
        ...(signal === undefined ? {} : { signal }),
        onProgress: (keys) => {
          progress.set(registry, keys);
          onProgress?.([...progress.values()].reduce((sum, one) => sum + one, 0));
        },
      });
      const isReached = (name: string): boolean => this.#of(name) === registry;
      return {
        ...scan,
        repositories: scan.repositories.filter(({ name }) => isReached(name)),
        shadowed: scan.shadowed.filter(isReached),
        incomplete: scan.incomplete.filter(isReached),
      };
    };
    const scans = await Promise.all([this.#default, ...this.#routes.values()].map(scanOne));
    const sum = (count: (scan: RegistryScan) => number): number =>
      scans.reduce((total, scan) => total + count(scan), 0);
    const repositories = scans
      .flatMap((scan) => scan.repositories)
      .sort((a, b) => compareBytes(a.name, b.name));
    const shadowed = findShadowed(repositories.map(({ name }) => name));
    return {
      repositories: repositories.filter(({ name }) => !shadowed.has(name)),
      shadowed: [...scans.flatMap((scan) => scan.shadowed), ...shadowed].sort(compareBytes),
      lost: scans.flatMap(({ lost }) => lost).sort((a, b) => compareBytes(a.digest, b.digest)),
      incomplete: scans.flatMap(({ incomplete }) => incomplete).sort(compareBytes),
      keys: sum(({ keys }) => keys),
      ignored: sum(({ ignored }) => ignored),
    };
  }

  async #listRoot(signal?: AbortSignal): Promise<DirectoryListing> {
    const own = await this.#default.list('', signal);
    const names = new Set([...own.children, ...this.#routes.keys()]);
    return { ...own, children: [...names].sort(compareBytes), empty: false };
  }

  #of(repository: string): Registry {
    const slash = repository.indexOf('/');
    if (slash < 0) return this.#default;
    return this.#routes.get(repository.slice(0, slash)) ?? this.#default;
  }

  #own(registry: Registry, locations: readonly BlobLocation[]): readonly BlobLocation[] {
    for (const location of locations) this.#owners.set(location, registry);
    return locations;
  }
}

/** One store inside another shows its keys in both. */
function overlaps(routes: readonly Route[]): string[] {
  const places = routes.map(({ route, store, root }) => ({
    route,
    place: `${store}/${toPrefix(root)}`,
  }));
  return places.flatMap((inner) =>
    places
      .filter(({ place }) => inner.place !== place && inner.place.startsWith(place))
      .map(
        (outer) =>
          `The store of /${inner.route} (${inner.place}) lies inside that of /${outer.route} ` +
          `(${outer.place}): its repositories show up there too.`,
      ),
  );
}
