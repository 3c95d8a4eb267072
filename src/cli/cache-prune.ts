import { prune, type Pruned, type PruneRule } from '../blobs/disk/prune.js';
import { formatByteSize } from '../config/byte-size.js';
import type { Options } from '../config/options.js';
import { cacheDirectory } from './cache-directory.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { CommandContext } from './program.js';

export interface PruneRequest {
  readonly all: boolean;
  /** Ms. */
  readonly unusedMs?: number;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/**
 * Run the command.
 * @throws UsageError, CacheDirectoryError, system errors
 */
export async function cachePrune(
  { terminal }: CommandContext,
  options: Options,
  request: PruneRequest,
): Promise<ExitCode> {
  const directory = await cacheDirectory(options);
  const pruned = await prune(directory, ruleOf(request, options), request);
  terminal.out(
    request.json ? renderJson(directory, pruned, request) : renderText(pruned, request.dryRun),
  );
  return EXIT.done;
}

function ruleOf({ all, unusedMs }: PruneRequest, options: Options): PruneRule {
  if (all) return 'all';
  if (unusedMs !== undefined) return { unusedSince: Date.now() - unusedMs };
  return { maxBytes: options.cacheSize, minFreeBytes: options.cacheMinFree };
}

function renderJson(directory: string, pruned: Pruned, { dryRun }: PruneRequest): string {
  const { removed, open, leftBytes } = pruned;
  const names = (entries: Pruned['removed']) =>
    entries.map(({ digest, state, size, diskBytes }) => ({ digest, state, size, diskBytes }));
  const report = { directory, dryRun, removed: names(removed), open: names(open), leftBytes };
  return `${JSON.stringify(report, null, 2)}\n`;
}

function renderText({ removed, open, leftBytes }: Pruned, dryRun: boolean): string {
  const bytes = removed.reduce((sum, { diskBytes }) => sum + diskBytes, 0);
  const what = removed.length === 1 ? '1 blob' : `${removed.length} blobs`;
  const verb = dryRun ? 'Would remove' : 'Removed';
  const kept =
    open.length === 0 ? '' : ` ${open.length} in use ${open.length === 1 ? 'stays' : 'stay'}.`;
  return `${verb} ${what} (${formatByteSize(bytes)}).${kept} ${formatByteSize(leftBytes)} ${dryRun ? 'would be' : 'are'} left.\n`;
}
