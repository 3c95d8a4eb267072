import type { Options } from '../config/options.js';
import { RepositoryFilter } from '../config/repository-filter.js';
import { UsageError } from '../config/usage-error.js';
import type { Digest } from '../oci/digest.js';
import type { RegistryScan } from '../registry/registry.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { renderRepositories, renderRepository } from './ls-output.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';
import {
  type ListedImage,
  readRepository,
  type RepositoryContents,
} from './repository-contents.js';
import { type CommandSource, withSource } from './with-source.js';

export interface LsRequest extends CommandContext {
  /** Source and repository; either may be absent. */
  readonly operands: readonly string[];
  readonly options: Options;
  readonly json: boolean;
}

/**
 * Run the command.
 * @throws UsageError, and what opening and reading the source throws
 */
export async function ls(request: LsRequest): Promise<ExitCode> {
  const { options, terminal, operands } = request;
  const filter = new RepositoryFilter(options);
  const fromConfig = options.zotConfig !== undefined;
  const [source, repository] = fromConfig ? [undefined, operands[0]] : operands;
  if (fromConfig && operands.length > 1) {
    throw new UsageError('Give either a source or --zot-config, not both.');
  }
  return withSource(source, options, terminal, async (opened) => {
    if (!request.json) {
      for (const warning of opened.warnings) terminal.err(`layoutfs: ${warning}\n`);
    }
    return repository === undefined
      ? listRepositories(request, opened, filter)
      : listImages(request, opened, repository.replace(/^\/+|\/+$/g, ''));
  });
}

async function listRepositories(
  { terminal, json }: LsRequest,
  { registry, name, warnings }: CommandSource,
  filter: RepositoryFilter,
): Promise<ExitCode> {
  const scan = await scanWithProgress(registry.scan.bind(registry), new Progress(terminal));
  const repositories = scan.repositories.filter((one) => filter.accepts(one.name));
  const incomplete = scan.incomplete.filter((one) => filter.accepts(one));
  const shadowed = scan.shadowed.filter((one) => filter.accepts(one));
  const lost = scan.lost
    .map(({ digest, directories }) => ({
      digest,
      repositories: directories.filter((one) => filter.accepts(one)),
    }))
    .filter((one) => one.repositories.length > 0);
  const listing = {
    source: name,
    registry: registry.description,
    repositories,
    shadowed,
    incomplete,
    lost,
  };
  terminal.out(
    json ? `${JSON.stringify({ ...listing, warnings }, null, 2)}\n` : renderRepositories(listing),
  );
  return lost.length > 0 ? EXIT.failed : EXIT.done;
}

async function listImages(
  { terminal, json }: LsRequest,
  opened: CommandSource,
  repository: string,
): Promise<ExitCode> {
  const { registry, blobs, name } = opened;
  const progress = new Progress(terminal);
  let contents;
  try {
    contents = await readRepository(repository, {
      registry,
      blobs,
      onProgress: (read) => progress.show(`${read} manifests read`),
    });
  } finally {
    progress.clear();
  }
  if (contents === undefined) {
    throw new Error(
      `There is no repository "${repository}" in ${name}: "layoutfs ls" lists them all.`,
    );
  }
  const { malformed } = contents;
  const digests = await findLost(opened, repository, contents, progress);
  const images = markLost(contents, new Set(digests));
  const lost = digests.map((digest) => ({
    digest,
    repositories: [repository],
    images: images
      .filter((image) => image.lost?.includes(digest) === true)
      .map((image) => imageName(repository, image)),
  }));
  const listing = { source: name, repository, images, lost, malformed };
  terminal.out(
    json ? `${JSON.stringify(listing, null, 2)}\n` : renderRepository(listing, terminal.columns),
  );
  const unreadable = images.some(({ problem }) => problem !== undefined);
  return lost.length > 0 || unreadable ? EXIT.failed : EXIT.done;
}

/** The images, each with what it lacks. */
function markLost({ images, reach }: RepositoryContents, lost: ReadonlySet<Digest>): ListedImage[] {
  if (lost.size === 0) return [...images];
  return images.map((image) => {
    const missing = [...reach(image.digest)].filter((digest) => lost.has(digest)).sort();
    return missing.length === 0 ? image : { ...image, lost: missing };
  });
}

function imageName(repository: string, { tag, digest }: ListedImage): string {
  const name = repository === '' ? '/' : repository;
  return tag === undefined ? `${name}@${digest}` : `${name}:${tag}`;
}

/**
 * Digests of the closure without bytes: those whose manifest was not there, and, where the
 * repository has blobs of its own and so may have placeholders, those that a scan finds lost.
 */
async function findLost(
  { registry }: CommandSource,
  repository: string,
  contents: RepositoryContents,
  progress: Progress,
): Promise<Digest[]> {
  const lost = new Set(contents.absent);
  const listing = registry.listable ? await registry.list(repository) : undefined;
  if (listing?.repository?.ownBlobs === true && registry.kind !== 'plain') {
    const scan = await scanWithProgress(registry.scan.bind(registry), progress);
    for (const { digest } of scan.lost) {
      if (contents.closure.get(digest)?.foreign === false) lost.add(digest);
    }
  }
  return [...lost].sort();
}

async function scanWithProgress(
  scan: (options: { onProgress: (keys: number) => void }) => Promise<RegistryScan>,
  progress: Progress,
): Promise<RegistryScan> {
  try {
    return await scan({ onProgress: (keys) => progress.show(`${keys} keys listed`) });
  } finally {
    progress.clear();
  }
}
