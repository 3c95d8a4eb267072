import type { Digest } from '../../oci/digest.js';
import type { ObjectInfo, WritableObjectStore } from '../../store/object-store.js';
import { findUploads } from '../exclusive.js';
import type { BlobCopy } from '../survey/blob-table.js';
import type { Survey } from '../survey/survey.js';
import { takeSurvey } from '../survey/take-survey.js';
import type { RegistryArea } from '../../registry/registry.js';

/** What a second listing told, just before something is deleted. */
export interface SecondLook {
  /** Why nothing may be deleted any more, full sentences. */
  readonly problems: readonly string[];
  readonly survey: Survey;
}

/**
 * List a root again: a repository that is new, gone or has another `index.json`, or an upload, says
 * that somebody is writing.
 * @throws StoreError
 */
export async function lookAgain(
  area: RegistryArea,
  before: Survey,
  options: {
    readonly store: WritableObjectStore;
    readonly ignoreUploads: boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<SecondLook> {
  const { store, ignoreUploads, signal } = options;
  const { root, rules } = area;
  const survey = await takeSurvey({ store, root, rules, signal });
  const changed = changedIndexes(before, survey);
  const problems = ignoreUploads ? [] : await findUploads(survey, store, signal);
  if (changed.length > 0) {
    const some = changed.slice(0, 3).map((name) => (name === '' ? 'the root' : name));
    const more = changed.length > some.length ? ', …' : '';
    problems.unshift(
      `The index.json of ${some.join(', ')}${more} changed since it was read: something writes to ` +
        'this bucket. Stop it, and begin again.',
    );
  }
  return { problems, survey };
}

function changedIndexes(before: Survey, now: Survey): string[] {
  const paths = new Set([...before.directories.keys(), ...now.directories.keys()]);
  return [...paths].filter((path) => {
    const [one, other] = [before.directories.get(path)?.index, now.directories.get(path)?.index];
    return (one === undefined) !== (other === undefined) || !isSame(one, other);
  });
}

/** Whether the objects of `digest` are still those that were listed before, no more and no fewer. */
export function isUnchanged(
  digest: Digest,
  copies: readonly BlobCopy[],
  { blobs }: Survey,
): boolean {
  const now = blobs.copies(digest);
  if (now.length !== copies.length) return false;
  return copies.every((copy) => now.some((other) => other.key === copy.key && isSame(copy, other)));
}

type Version = Pick<ObjectInfo, 'size' | 'etag' | 'lastModified'>;

function isSame(one: Version | undefined, other: Version | undefined): boolean {
  return (
    one?.size === other?.size &&
    one?.etag === other?.etag &&
    one?.lastModified === other?.lastModified
  );
}
