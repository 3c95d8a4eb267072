import { setPriority } from 'node:os';
import { openDiskCache } from '../blobs/disk/local-disk-cache.js';
import { formatByteSize } from '../config/byte-size.js';
import { currentUser } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { RepositoryFilter } from '../config/repository-filter.js';
import { UsageError } from '../config/usage-error.js';
import { askMounts } from '../daemon/control-client.js';
import { refuseCacheInSource } from '../daemon/own-directories.js';
import { inspectMountpoint } from '../fuse/mountpoint.js';
import { Counters } from '../observe/counters.js';
import { formatSource, parseSource } from '../store/source.js';
import { EXIT, type ExitCode } from './exit-code.js';
import { commandLog } from './command-log.js';
import { untilInterrupted } from './interrupted.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';
import { ProgressLines } from './progress-lines.js';
import { fetchBlobs } from './warm-fetch.js';
import { renderProgress, renderWarmed, summarise } from './warm-output.js';
import { planWarm, type WarmPlan } from './warm-plan.js';
import {
  ALL_IMAGES,
  type ImageReference,
  parsePlatform,
  parseReference,
} from './warm-references.js';
import { cacheTarget, mountTarget, type WarmTarget } from './warm-target.js';
import { type CommandSource, withSource } from './with-source.js';

export interface WarmRequest extends CommandContext {
  /** The source or mountpoint (unless the options name a zot configuration), and images. */
  readonly operands: readonly string[];
  readonly options: Options;
  readonly all: boolean;
  readonly platforms: readonly string[];
  readonly json: boolean;
}

/** How much less than readers it gets of the processor: see nice(1). */
const NICENESS = 10;

/**
 * Run the command.
 * @throws UsageError, CacheDirectoryError, and what opening and reading the source throws
 */
export async function warm(request: WarmRequest): Promise<ExitCode> {
  const { options } = request;
  const operands = [...request.operands];
  const target = options.zotConfig === undefined ? operands.shift() : undefined;
  if (target === undefined && options.zotConfig === undefined) {
    throw new UsageError(
      'Name a source or a mountpoint: layoutfs warm <source|mountpoint> <repository>…',
    );
  }
  const references = referencesOf(operands, request.all);
  return untilInterrupted(async (signal) => {
    setPriority(NICENESS);
    const mountpoint = target === undefined ? undefined : await mountpointAt(target);
    if (mountpoint !== undefined) return warmMount(request, references, mountpoint, signal);
    return warmSource(request, references, target, signal);
  });
}

function referencesOf(operands: readonly string[], all: boolean): ImageReference[] {
  if (all && operands.length > 0) throw new UsageError('Give either images or --all, not both.');
  if (all) return [ALL_IMAGES];
  if (operands.length > 0) return operands.map(parseReference);
  throw new UsageError(
    'Name images (repository, repository:tag, repository@digest), or give --all.',
  );
}

async function warmSource(
  request: WarmRequest,
  references: readonly ImageReference[],
  source: string | undefined,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { options, terminal } = request;
  if (options.cacheDir === undefined) {
    throw new UsageError('Name the cache to fetch into with --cache-dir (or LAYOUTFS_CACHE_DIR).');
  }
  if (source !== undefined) {
    await refuseCacheInSource(options.cacheDir, [formatSource(parseSource(source))]);
  }
  const cache = await openDiskCache({
    directory: options.cacheDir,
    maxBytes: options.cacheSize,
    minFreeBytes: options.cacheMinFree,
    log: await commandLog(options),
    counters: new Counters(),
  });
  try {
    return await withSource(
      source,
      options,
      terminal,
      async (opened) => {
        // Not those that know the manifests: what is in their memory would not reach the disk again.
        const blobs = opened.openBlobs();
        try {
          const target = cacheTarget(cache, blobs);
          return await warmFrom(request, references, opened, target, signal);
        } finally {
          await blobs.close();
        }
      },
      cache,
    );
  } finally {
    await cache.close();
  }
}

/** As any reader does it: what is read through a mount stays in its cache. */
async function warmMount(
  request: WarmRequest,
  references: readonly ImageReference[],
  mountpoint: string,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { options, terminal } = request;
  if (options.cacheDir !== undefined) {
    throw new UsageError(
      'A mount has a cache of its own: leave --cache-dir away, or name the source instead of the mountpoint.',
    );
  }
  const ask = async () => {
    const [answer] = await askMounts(terminal.environment, currentUser(), mountpoint);
    return answer !== undefined && 'status' in answer ? answer.status : undefined;
  };
  // One that cannot be asked is given the benefit of the doubt.
  const status = await ask();
  if (status !== undefined && status.cache === undefined) {
    throw new UsageError(
      `The mount on ${mountpoint} has no disk cache: mount it with --cache-dir.`,
    );
  }
  const asPlain = { ...options, registry: 'plain', root: '', sharedBlobDir: undefined } as const;
  return withSource(mountpoint, asPlain, terminal, (opened) =>
    warmFrom(request, references, opened, mountTarget(mountpoint, status, ask), signal),
  );
}

async function warmFrom(
  request: WarmRequest,
  references: readonly ImageReference[],
  { registry, blobs, name }: CommandSource,
  target: WarmTarget,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { terminal, json } = request;
  const filter = new RepositoryFilter(request.options);
  const progress = new Progress(terminal);
  let plan: WarmPlan;
  try {
    plan = await planWarm({
      registry,
      blobs,
      references,
      platforms: request.platforms.map(parsePlatform),
      accepts: (repository) => filter.accepts(repository),
      onProgress: (manifests) => progress.show(`${manifests} manifests read`),
      signal,
    });
  } finally {
    progress.clear();
  }
  const bytes = plan.blobs.reduce((sum, { size }) => sum + size, 0);
  if (bytes > (target.maxBytes ?? Infinity)) {
    terminal.err(
      `layoutfs: The images take ${formatByteSize(bytes)}, but the cache ${formatByteSize(target.maxBytes ?? 0)} (--cache-size): what was fetched first is thrown out again.\n`,
    );
  }
  const lines = new ProgressLines(terminal);
  try {
    const outcomes = await fetchBlobs({
      target,
      planned: plan.blobs,
      onProgress: (now) => lines.show(() => renderProgress(now, terminal.columns)),
      signal,
    });
    lines.clear();
    const summary = summarise(name, plan, outcomes);
    terminal.out(json ? `${JSON.stringify(summary, null, 2)}\n` : renderWarmed(summary));
    return summary.failed.length > 0 ? EXIT.failed : EXIT.done;
  } finally {
    lines.clear();
  }
}

/** The path of the layoutfs mounted at `target`; undefined when none is. */
async function mountpointAt(target: string): Promise<string | undefined> {
  if (target.includes('://')) return undefined;
  const found = await inspectMountpoint(target);
  if (found.kind !== 'layoutfs') return undefined;
  if (found.state === 'live') return found.path;
  throw new Error(`The mount on ${found.path} does not answer: see layoutfs status.`);
}
