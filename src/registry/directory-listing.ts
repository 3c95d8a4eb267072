import { isValidAlgorithm, isValidEncoded } from '../oci/digest.js';
import { BLOBS_DIRECTORY, INDEX_FILE, OCI_LAYOUT_FILE } from '../oci/layout.js';
import type { Directory } from './directory.js';
import { isLayoutName } from './inventory/shadowed.js';
import { isFileName, isHiddenName } from './names.js';
import type { DirectoryListing } from './registry.js';

/** Strange names told of one directory: enough to find the cause, whatever their number. */
const MAX_TOLD = 1000;

/** What makes one kind of registry differ from another when a directory is read. */
export interface ListingRules {
  readonly isComponent: (name: string) => boolean;
  /** Whether `index.json` alone makes a repository. */
  readonly ociLayoutOptional: boolean;
  /** Whether a child directory holds blobs of all repositories and is not shown. */
  readonly isBlobRoot: (name: string) => boolean;
}

/** The repository's documents in `directory`, if it is a repository. */
export function repositoryIn(
  directory: Pick<Directory, 'objects' | 'directories'>,
  ociLayoutOptional: boolean,
): DirectoryListing['repository'] {
  const index = directory.objects.get(INDEX_FILE);
  const ociLayout = directory.objects.get(OCI_LAYOUT_FILE);
  if (index === undefined || (ociLayout === undefined && !ociLayoutOptional)) return undefined;
  const ownBlobs = directory.directories.includes(BLOBS_DIRECTORY);
  return { index, ...(ociLayout === undefined ? {} : { ociLayout }), ownBlobs };
}

/** Sort the names of the directory at `path` into repository, children and what no registry writes. */
export function toListing(
  path: string,
  directory: Directory,
  rules: ListingRules,
): DirectoryListing {
  const repository = repositoryIn(directory, rules.ociLayoutOptional);
  const prefix = path === '' ? '' : `${path}/`;
  const strangers = [
    ...strangeObjects(path, directory),
    ...directory.directories
      .filter((name) => isStrangeDirectory(name, repository !== undefined, rules))
      .map((name) => `${name}/`),
  ];
  const children = directory.directories.filter(
    (name) =>
      rules.isComponent(name) &&
      !rules.isBlobRoot(name) &&
      !(repository !== undefined && isLayoutName(name)),
  );
  return {
    ...(repository === undefined ? {} : { repository }),
    children,
    empty: directory.objects.size === 0 && directory.directories.length === 0,
    ignored: strangers.slice(0, MAX_TOLD).map((name) => prefix + name),
  };
}

function isStrangeDirectory(name: string, inRepository: boolean, rules: ListingRules): boolean {
  if (inRepository && isLayoutName(name)) return name !== BLOBS_DIRECTORY;
  if (isFileName(name) && isHiddenName(name)) return false;
  return !rules.isComponent(name);
}

/** Objects that are neither a layout's documents, nor blobs, nor a registry's internals. */
function strangeObjects(path: string, directory: Directory): string[] {
  const algorithm = blobAlgorithm(path);
  return [...directory.objects.keys()].filter((name) => {
    if (name === INDEX_FILE || name === OCI_LAYOUT_FILE) return false;
    if (algorithm !== undefined && isValidEncoded(algorithm, name)) return false;
    if (path === '' && name.endsWith('.db')) return false;
    return name === '' || !isHiddenName(name);
  });
}

/** The algorithm, when `path` is a `blobs/<algorithm>` directory. */
function blobAlgorithm(path: string): string | undefined {
  const [blobs, algorithm] = path.split('/').slice(-2);
  return blobs === BLOBS_DIRECTORY && algorithm !== undefined && isValidAlgorithm(algorithm)
    ? algorithm
    : undefined;
}
