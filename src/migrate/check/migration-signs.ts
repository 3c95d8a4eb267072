import { BLOBSTORE, STORAGE } from '../../registry/zot/blob-roots.js';
import { readDocument } from '../../registry/stored-document.js';
import { isStoreError } from '../../store/errors.js';
import { listRuns } from '../journal/journals.js';
import { unfinishedRun } from '../session.js';
import { JOURNAL_DIRECTORY } from '../survey/key-kind.js';
import type { Survey } from '../survey/survey.js';
import type { BlobPlaces } from './blob-places.js';
import type { MigrationSign } from './report.js';

const RESTORED = '_restore_complete';
const MIGRATED = '_global_blobstore_migrated';

/** Keys shown with a sign. */
const SHOWN = 5;
/** A marker is one character. */
const MAX_MARKER_BYTES = 1024;

/**
 * What of a zot bucket looks as if a move between layouts was not finished, and markers that are not
 * true. At most one GET.
 */
export async function findMigrationSigns(
  survey: Survey,
  places: BlobPlaces,
  signal?: AbortSignal,
): Promise<MigrationSign[]> {
  const { markers, root } = survey;
  const own = [...survey.directories].filter(([path]) => !places.isShared(path));
  const withPlaceholders = own.filter(([, { placeholders }]) => placeholders > 0);
  const withBlobs = own.filter(([, { copies, placeholders }]) => copies + placeholders > 0);
  const left = withPlaceholders.reduce((sum, [, { placeholders }]) => sum + placeholders, 0);
  const keysOf = (directories: typeof own) =>
    directories.slice(0, SHOWN).map(([path]) => `${root}${path === '' ? '' : `${path}/`}blobs/`);
  const has = (name: string) => markers.some(({ key }) => key === name);
  const isMigrated = has(MIGRATED) || has(`${BLOBSTORE}/.migrated`);
  const restored = has(RESTORED) && (await readMarker(survey, signal)) === '1';
  const signs: MigrationSign[] = [];

  const run = unfinishedRun(listRuns(survey.journal));
  if (run !== undefined) {
    signs.push({
      message: `The migration ${run.run} of layoutfs is not finished.`,
      advice: 'Go on with it (layoutfs migrate) or take it back (layoutfs rollback).',
      keys: [`${root}${JOURNAL_DIRECTORY}/${run.run}/`],
    });
  }
  for (const name of [BLOBSTORE, STORAGE]) {
    const empty = survey.directories.get(name)?.placeholders ?? 0;
    if (!places.isShared(name) || empty === 0) continue;
    signs.push({
      message: `${empty} ${empty === 1 ? 'blob' : 'blobs'} in ${name}/blobs ${empty === 1 ? 'has' : 'have'} no bytes: something that moved blobs there met placeholders only.`,
      advice: 'layoutfs repair fills those whose bytes are elsewhere in the bucket.',
      keys: [`${root}${name}/blobs/`],
    });
  }
  const moved = survey.directories.get(BLOBSTORE)?.copies ?? 0;
  if (moved > 0 && !isMigrated) {
    signs.push({
      message: `Blobs are in ${BLOBSTORE}/blobs, and the marker ${MIGRATED} is absent: zot's migration is not through, or zot was not restarted since its first push.`,
      advice: 'A restart of that zot goes on with it; nothing is lost meanwhile.',
      keys: [`${root}${BLOBSTORE}/blobs/`],
    });
  }
  if (isMigrated && left > 0) {
    signs.push({
      message: `A marker says that all blobs were moved to ${BLOBSTORE}, and ${left} ${left === 1 ? 'placeholder is' : 'placeholders are'} left in repositories.`,
      advice: "zot's migration passes over some repositories; a mount reads them all the same.",
      keys: keysOf(withPlaceholders),
    });
  }
  if (restored && left > 0) {
    signs.push({
      message: `The marker ${RESTORED} says that no placeholders are left, and there ${left === 1 ? 'is 1' : `are ${left}`}.`,
      advice: 'zot believes the marker and refills none of them; layoutfs repair does.',
      keys: [root + RESTORED, ...keysOf(withPlaceholders)].slice(0, SHOWN),
    });
  }
  if (restored && isMigrated) {
    signs.push({
      message: `The markers ${RESTORED} and ${MIGRATED} contradict each other.`,
      advice: 'Delete the one that is not true while the registry is stopped.',
      keys: markers.map(({ key }) => root + key),
    });
  }
  if (places.isShared(STORAGE) && withBlobs.length > 0) {
    signs.push({
      message: `Blobs are in ${STORAGE}/blobs and in ${withBlobs.length} ${withBlobs.length === 1 ? 'repository' : 'repositories'} too: half migrated, one way or the other.`,
      advice: 'A mount reads both.',
      keys: keysOf(withBlobs),
    });
  }
  return signs;
}

/** The text of `_restore_complete`; undefined where it cannot be had. */
async function readMarker(
  { store, root }: Survey,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    const document = await readDocument(store, root + RESTORED, {
      maxBytes: MAX_MARKER_BYTES,
      signal,
    });
    if (document === undefined || document === 'unchanged') return undefined;
    return Buffer.from(document.bytes).toString('utf8').trim();
  } catch (error) {
    if (isStoreError(error, 'AccessDenied', 'Archived', 'Failed')) return undefined;
    throw error;
  }
}
