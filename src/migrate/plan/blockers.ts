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
