import type { Options } from '../config/options.js';
import { formatByteSize } from '../config/byte-size.js';
import { RepositoryFilter } from '../config/repository-filter.js';
import { UsageError } from '../config/usage-error.js';
import type { CheckProgress } from '../migrate/check/check-area.js';
import { checkRegistry } from '../migrate/check/check.js';
import type { CheckReport } from '../migrate/check/report.js';
import { renderCheck } from './check-output.js';
import { registryFlags } from './command-hint.js';
import { EXIT, type ExitCode } from './exit-code.js';
import type { CommandContext } from './program.js';
import { Progress } from './progress.js';
import { assertExist, assertListable, chooseRepositories } from './source-operands.js';
import { withSource } from './with-source.js';

export interface CheckRequest extends CommandContext {
  /** Source and repositories; the source is absent with a zot configuration. */
  readonly operands: readonly string[];
  readonly options: Options;
  readonly json: boolean;
  readonly all: boolean;
  readonly readData: boolean;
  /** Percent of the blobs to read, as typed. */
  readonly sample: string | undefined;
}

/** Requests under way at once. */
const CONCURRENCY = 16;

/**
 * Run the command.
 * @throws UsageError, and what opening and listing the source throws
 */
export async function check(request: CheckRequest): Promise<ExitCode> {
  const { options, terminal, json, all } = request;
  const share = shareOf(request);
  const filter = new RepositoryFilter(options);
  const { source, repositories } = chooseRepositories(request.operands, options);
  return withSource(source, options, terminal, async ({ registry, name, warnings }) => {
    if (!json) for (const warning of warnings) terminal.err(`layoutfs: ${warning}\n`);
    assertListable(registry, name);
    const progress = new Progress(terminal);
    const named = new Set(repositories);
    let findings;
    try {
      findings = await checkRegistry(registry.areas, {
        accepts: (one) => filter.accepts(one) && (named.size === 0 || named.has(one)),
        partial: named.size > 0 || options.include.length > 0 || options.exclude.length > 0,
        share,
        concurrency: CONCURRENCY,
        onProgress: (how) => progress.show(describeProgress(how)),
      });
    } finally {
      progress.clear();
    }
    const { repositories: found, ...rest } = findings;
    assertExist(repositories, found, name);
    const report: CheckReport = {
      format: 1,
      source: name,
      registry: registry.description,
      ...rest,
    };
    const look = { all, colours: terminal.colours, flags: registryFlags(options) };
    terminal.out(json ? `${JSON.stringify(report, null, 2)}\n` : renderCheck(report, look));
    return report.verdict === 'damaged' ? EXIT.failed : EXIT.done;
  });
}

/** @throws UsageError */
function shareOf({ readData, sample }: CheckRequest): number {
  if (sample === undefined) return readData ? 1 : 0;
  const percent = /^\d+(\.\d+)?%?$/.test(sample) ? Number.parseFloat(sample) : NaN;
  if (!(percent > 0 && percent <= 100)) {
    throw new UsageError(
      `--sample: "${sample}" is no percentage: use a number above 0, up to 100.`,
    );
  }
  if (readData) throw new UsageError('Give either --read-data (all blobs) or --sample, not both.');
  return percent / 100;
}

function describeProgress(progress: CheckProgress): string {
  switch (progress.stage) {
    case 'list':
      return `${progress.keys} keys listed`;
    case 'follow':
      return `${progress.documents} documents read`;
    case 'read': {
      const { bytes, total } = progress;
      return `${formatByteSize(bytes)} of ${formatByteSize(total)} read and hashed`;
    }
  }
}
