import { STORAGE } from '../../registry/zot/blob-roots.js';
import type { Layout } from '../journal/format.js';
import type { Survey } from '../survey/survey.js';

/**
 * Why blobs of this registry cannot be moved at all, full sentences: its shared directory would be
 * a repository's own.
 */
export function collisions(survey: Survey): string[] {
  const shared = `${STORAGE}/blobs`;
  return survey.repositories
    .filter((name) => name === STORAGE || name === shared || name.startsWith(`${shared}/`))
    .map(
      (name) =>
        `The repository "${name}" lies where the shared layout keeps its blobs (${shared}): its own ` +
        'blobs could not be told from shared ones. Rename it first.',
    );
}

/**
 * Where all repositories lie below a doubled prefix, the root is most likely there, and beside it
 * lies what has nothing to do with the registry: blobs would be moved to where no registry looks.
 */
export function doubtfulRoot({
  root,
  survey,
  isRootGiven = false,
}: {
  readonly root: string;
  readonly survey: Pick<Survey, 'repositories'>;
  readonly isRootGiven?: boolean;
}): string[] {
  if (isRootGiven) return [];
  const shared = sharedDirectories(survey.repositories);
  const above = root.split('/').slice(0, -1);
  for (let length = 1; length <= shared.length; length += 1) {
    const first = shared.slice(0, length);
    const isDoubled = [shared.slice(length, 2 * length), above.slice(-length)].some(
      (other) => other.join('/') === first.join('/'),
    );
    if (!isDoubled) continue;
    const deeper = root + shared.join('/');
    return [
      `Every repository lies below ${deeper}/, and zot writes its root directory twice: if that is ` +
        `the registry's root, say --root ${deeper}; if not, say --root ${root || '/'}.`,
    ];
  }
  return [];
}

/** Names of the directories that all repositories lie below. */
function sharedDirectories([first = '', ...others]: readonly string[]): string[] {
  const shared = first.split('/').slice(0, -1);
  for (const name of others) {
    const parts = name.split('/').slice(0, -1);
    const end = shared.findIndex((part, i) => part !== parts[i]);
    if (end >= 0) shared.length = end;
  }
  return shared;
}

/** Which programs can read a registry in a layout, for people. */
export const READERS: Readonly<Record<Layout, readonly string[]>> = {
  shared: [
    'layoutfs (mount, ls, check)',
    'zot with the storage proposal #3750 (not released; no released zot reads storage/blobs)',
  ],
  'per-repository': [
    'every release of zot, with dedupe on or off',
    'layoutfs (mount, ls, check)',
    'tools that read OCI image layouts, on a copy of a repository',
  ],
};
