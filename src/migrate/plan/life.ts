import { INDEX_FILE } from '../../oci/layout.js';
import { directoryPrefix } from '../../registry/root-prefix.js';
import { isStoreError } from '../../store/errors.js';
import type { ObjectInfo, UploadInFlight, WritableObjectStore } from '../../store/object-store.js';
import { inParallel } from '../run/in-parallel.js';
import type { Survey } from '../survey/survey.js';

/** What shows that a registry may be writing to a bucket. */
export interface SignsOfLife {
  /** Objects of uploads and syncs in flight, or left by a crash. Relative to the root. */
  readonly uploads: readonly ObjectInfo[];
  /** Multipart uploads under way below the root. */
  readonly multipart: readonly UploadInFlight[];
  /** Repositories whose `index.json` is another than the survey saw. */
  readonly changed: readonly string[];
}

/** The bucket is in use. */
export class InUseError extends Error {
  override readonly name = 'InUseError';
}

/** Full sentences about signs of life, each with what to do; none when there are none. */
export function describeLife({ uploads, multipart, changed }: SignsOfLife): string[] {
  const some = (names: readonly string[]): string =>
    names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
  const told: string[] = [];
  if (changed.length > 0) {
    told.push(
      `The index.json of ${some(changed)} changed since the bucket was listed: something is pushing ` +
        'to this registry. Stop it, and plan again.',
    );
  }
  if (uploads.length > 0) {
    const newest = Math.max(...uploads.map(({ lastModified }) => lastModified ?? 0));
    const since = newest > 0 ? `, the newest of ${new Date(newest).toISOString()}` : '';
    told.push(
      `Objects of uploads or syncs are stored (${uploads.length}${since}): ` +
        `${some(uploads.map(({ key }) => key))}. If the registry is stopped and they were left by a ` +
        'crash, delete them or use --ignore-uploads.',
    );
  }
  if (multipart.length > 0) {
    told.push(
      `Multipart uploads are under way (${multipart.length}): ${some(multipart.map(({ key }) => key))}. ` +
        'If the registry is stopped and they were left by a crash, abort them or use --ignore-uploads.',
    );
  }
  return told;
}

/**
 * The repositories whose `index.json` is another than `survey` saw: one HEAD for each repository.
 * @throws StoreError
 */
export async function changedIndexes(
  survey: Survey,
  store: WritableObjectStore,
  { concurrency, signal }: { concurrency: number; signal?: AbortSignal | undefined },
): Promise<string[]> {
  const changed = await inParallel(survey.repositories, concurrency, async (repository) => {
    const before = survey.directories.get(repository)?.index;
    const key = directoryPrefix(survey.root, repository) + INDEX_FILE;
    try {
      const now = await store.head(key, signal);
      return isSame(before, now) ? [] : [repository];
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return [repository];
      throw error;
    }
  });
  return changed.flat();
}

function isSame(before: ObjectInfo | undefined, now: ObjectInfo): boolean {
  if (before?.size !== now.size) return false;
  // Response heads have whole seconds, listings milliseconds.
  const seconds = ({ lastModified = 0 }: ObjectInfo): number => Math.floor(lastModified / 1000);
  return before.etag === undefined ? seconds(before) === seconds(now) : before.etag === now.etag;
}
