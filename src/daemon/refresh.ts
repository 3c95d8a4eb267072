import type { Catalog, RefreshOutcome } from '../catalog/catalog.js';
import type { MountedFileSystem } from '../fuse/transport.js';

/** Indexes asked for at the same time. */
const AT_ONCE = 8;

/** What came of refreshing one repository; `reason` where it failed. */
export interface RefreshedRepository {
  readonly repository: string;
  readonly outcome: RefreshOutcome | 'failed';
  readonly reason?: string;
}

/** The answer to `POST /refresh`, as plain data. */
export interface RefreshAnswer {
  /** Those that were named; empty where everything was refreshed. */
  readonly repositories: readonly RefreshedRepository[];
  /** False when the kernel has not taken notice of it yet, for readers keep it busy. */
  readonly told: boolean;
}

/** What is refreshed. */
export interface Refreshable {
  readonly catalog: Pick<Catalog, 'refresh' | 'refreshRepository'>;
  readonly mounted: Pick<MountedFileSystem, 'refresh' | 'announced'>;
}

/**
 * Ask the store now for the indexes of some repositories, and tell the kernel what has changed; or,
 * where none are named, have everything compared with the store at its next use.
 */
export async function refreshMount(
  { catalog, mounted }: Refreshable,
  repositories?: readonly string[],
): Promise<RefreshAnswer> {
  if (repositories === undefined) {
    catalog.refresh();
    mounted.refresh();
    return { repositories: [], told: await mounted.announced() };
  }
  const refreshed: RefreshedRepository[] = [];
  const left = [...new Set(repositories)];
  const order = new Map(left.map((repository, index) => [repository, index]));
  const work = async (): Promise<void> => {
    for (let repository = left.shift(); repository !== undefined; repository = left.shift()) {
      refreshed.push(await refreshOne(catalog, repository));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const place = ({ repository }: RefreshedRepository) => order.get(repository) ?? 0;
  refreshed.sort((a, b) => place(a) - place(b));
  return { repositories: refreshed, told: await mounted.announced() };
}

async function refreshOne(
  catalog: Refreshable['catalog'],
  repository: string,
): Promise<RefreshedRepository> {
  try {
    return { repository, outcome: await catalog.refreshRepository(repository) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { repository, outcome: 'failed', reason };
  }
}
