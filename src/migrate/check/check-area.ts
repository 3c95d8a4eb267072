import { compareBytes } from '../../registry/inventory/inventory.js';
import { findShadowed } from '../../registry/inventory/shadowed.js';
import type { RegistryArea } from '../../registry/registry.js';
import type { Survey } from '../survey/survey.js';
import { takeSurvey } from '../survey/take-survey.js';
import { findAtRisk } from './at-risk.js';
import { BlobPlaces } from './blob-places.js';
import { REFERENCED } from './digest-flags.js';
import { readData } from './read-data.js';
import type { CheckReport } from './report.js';
import { findMigrationSigns } from './migration-signs.js';
import { RepositoryCheck } from './repository-check.js';
import { findDuplicates, findUnreferenced } from './storage-use.js';

/** How far a check is. */
export type CheckProgress =
  | { readonly stage: 'list'; readonly keys: number }
  | { readonly stage: 'follow'; readonly documents: number }
  | { readonly stage: 'read'; readonly bytes: number; readonly total: number };

export interface CheckAreaOptions {
  /** Which repositories are looked at. */
  readonly accepts: (repository: string) => boolean;
  /** Some repositories are left out, so that nothing can be called unreferenced. */
  readonly partial: boolean;
  /** Which part of the objects with bytes is read and hashed, from 0 (manifests only) to 1. */
  readonly share: number;
  /** Requests under way at once. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CheckProgress) => void) | undefined;
}

/** What a check found in one area. */
export interface AreaFindings extends Pick<
  CheckReport,
  'totals' | 'damage' | 'warnings' | 'notes'
> {
  /** Repositories that were looked at, or could not be read. */
  readonly repositories: readonly string[];
}

/**
 * Check one root of a registry: one flat listing, one GET for each `index.json` and each manifest,
 * and one for each object that is to be hashed.
 * @throws StoreError when the store refuses to list, or fails altogether
 */
export async function checkArea(
  area: RegistryArea,
  options: CheckAreaOptions,
): Promise<AreaFindings> {
  const { store, root, rules } = area;
  const { signal, onProgress, partial, share, concurrency } = options;
  const survey = await takeSurvey({
    store,
    root,
    rules,
    signal,
    onProgress: (keys) => onProgress?.({ stage: 'list', keys }),
  });
  const places = new BlobPlaces(survey, area.kind);
  const served = survey.repositories.filter((name) => area.serves(name));
  const repositories = served.filter(options.accepts);
  const check = new RepositoryCheck(survey, places, {
    signal,
    concurrency,
    onProgress: (documents) => onProgress?.({ stage: 'follow', documents }),
  });
  await check.judge(repositories);
  // No name of the registry leads there, and yet somebody may want their blobs.
  if (!partial) await check.follow(survey.repositories.filter((name) => !area.serves(name)));
  const isReferenced = (number: number) => check.flags.has(number, REFERENCED);
  const isWhole = !partial && check.isWhole;
  if (share > 0) {
    await readData(survey, {
      share,
      concurrency,
      signal,
      isOfInterest: (number) => !partial || isReferenced(number),
      isKnown: (key) => check.manifestKeys.has(key),
      onProgress: (bytes, total) => onProgress?.({ stage: 'read', bytes, total }),
      onRead: (object) => check.hashed.add(object),
    });
  }
  const signs = area.kind === 'zot' ? await findMigrationSigns(survey, places, signal) : [];
  return {
    repositories,
    totals: totalsOf(survey, check),
    damage: check.damage(),
    warnings: {
      ...check.warnings(),
      atRisk:
        area.kind === 'zot'
          ? findAtRisk(survey, places, partial || isWhole ? isReferenced : () => true)
          : [],
      migrations: signs,
      incomplete: survey.incomplete.filter(options.accepts),
      shadowed: [...findShadowed(served)].filter(options.accepts).sort(compareBytes),
      strangeKeys: strangeKeys(survey),
    },
    notes: {
      ...(isWhole && whatIsLeft(survey, check, repositories)),
      duplicates: findDuplicates(survey, partial ? isReferenced : () => true),
      resolvedPlaceholders: check.resolved,
      foreign: check.foreign,
      unfinishedUploads: {
        objects: survey.uploads.length,
        bytes: survey.uploads.reduce((sum, { size }) => sum + size, 0),
      },
    },
  };
}

function totalsOf(survey: Survey, check: RepositoryCheck): AreaFindings['totals'] {
  const { blobs, keys } = survey;
  let digests = 0;
  let contents = 0;
  let contentBytes = 0;
  for (let number = 0; number < blobs.digests.size; number += 1) {
    const stored = blobs.copies(number).filter(({ placeholder }) => !placeholder);
    if (stored.length > 0) digests += 1;
    contents += stored.length;
    for (const { size } of stored) contentBytes += size;
  }
  return {
    repositories: check.judged,
    keys,
    digests,
    contents,
    contentBytes,
    placeholders: blobs.size - contents,
    referenced: check.referenced,
    referencedBytes: check.referencedBytes,
    hashed: check.hashed.objects,
    hashedBytes: check.hashed.bytes,
  };
}

/** What no repository needs, and what the repository that has it does not. */
function whatIsLeft(
  survey: Survey,
  check: RepositoryCheck,
  repositories: readonly string[],
): Pick<AreaFindings['notes'], 'unreferenced' | 'leftBehind'> {
  const isReferenced = (number: number) => check.flags.has(number, REFERENCED);
  const { found, within } = findUnreferenced(survey, isReferenced, new Set(repositories));
  const own = repositories.reduce((sum, name) => {
    const { copies = 0, placeholders = 0 } = survey.directories.get(name) ?? {};
    return sum + copies + placeholders;
  }, 0);
  return { unreferenced: found, leftBehind: own - check.ownObjects - within };
}

function strangeKeys({
  malformed,
  unknown,
  root,
}: Survey): AreaFindings['warnings']['strangeKeys'] {
  return {
    count: malformed.count + unknown.count,
    examples: [...malformed.examples, ...unknown.examples]
      .map((key) => root + key)
      .sort(compareBytes),
  };
}
