import { join } from 'node:path';

import type { Corpus } from '../images/corpus.js';
import type { Keys } from '../images/layouts.js';
import { plainKeysOf, writeKeys } from '../images/layouts.js';

/** What a mount must show of one repository. */
export interface RepositoryView {
  readonly name: string;
  readonly tags: readonly string[];
  /** The repository as a plain OCI image layout: paths below it and their bytes. */
  readonly files: Keys;
}

/** What a mount of the test images must show, in whichever layout they are. */
export function viewOfCorpus(corpus: Corpus): RepositoryView[] {
  return corpus.repositories.map((repository) => ({
    name: repository.name,
    tags: repository.tags.map(({ name }) => name),
    files: plainKeysOf(corpus, repository),
  }));
}

/** Write every repository below `directory`: the plain local copy that a mount is compared with. */
export async function writePlainCopy(
  directory: string,
  repositories: readonly RepositoryView[],
): Promise<void> {
  for (const { name, files } of repositories) await writeKeys(join(directory, name), files);
}
