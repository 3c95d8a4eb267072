import type { Command } from 'commander';
import { UsageError } from '../config/usage-error.js';

/** What the commands that change buckets are told, as typed. */
export interface ActingOptions {
  readonly apply?: boolean;
  readonly registryStopped?: boolean;
  readonly plan?: string;
  readonly ignoreUploads?: boolean;
  readonly takeOver?: boolean;
  readonly concurrency?: string;
  readonly rate?: string;
  readonly prices?: string;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** Digests worked on at once, unless the operator says otherwise. */
const CONCURRENCY = 16;
const MOST_CONCURRENCY = 256;

/** Give a command the flags of those that plan by default and act when they are told to. */
export function addActingOptions(command: Command): Command {
  return command
    .option('--apply', 'act; without it only the plan is shown')
    .option('--registry-stopped', 'state that no registry writes to the bucket; --apply wants it')
    .option('--ignore-uploads', 'uploads that are stored or under way were left by a crash')
    .option('--take-over', 'take the lock of a process that is known to be dead')
    .option('--concurrency <number>', `blobs worked on at once (default: ${CONCURRENCY})`)
    .option('--rate <number>', 'most requests in a second (default: no limit)')
    .option('--prices <file>', "a provider's prices, as JSON or YAML")
    .option('--json', 'print JSON');
}

/** @throws UsageError */
export function concurrencyOf({ concurrency }: ActingOptions): number {
  if (concurrency === undefined) return CONCURRENCY;
  const number = /^\d+$/.test(concurrency) ? Number(concurrency) : NaN;
  if (number >= 1 && number <= MOST_CONCURRENCY) return number;
  throw new UsageError(
    `--concurrency: "${concurrency}" is no number from 1 to ${MOST_CONCURRENCY}.`,
  );
}

/** @throws UsageError */
export function rateOf({ rate }: ActingOptions): number | undefined {
  if (rate === undefined) return undefined;
  const number = /^\d+(\.\d+)?$/.test(rate) ? Number(rate) : NaN;
  if (number > 0) return number;
  throw new UsageError(`--rate: "${rate}" is no number of requests in a second, above 0.`);
}

/**
 * Whether to act.
 * @throws UsageError when acting is asked for without the operator's word that nothing else writes
 */
export function mayAct({ apply = false, registryStopped = false }: ActingOptions): boolean {
  if (apply && !registryStopped) {
    throw new UsageError(
      '--apply wants --registry-stopped too: stop every registry that uses this bucket first, since ' +
        'one that serves pulls may write as well, which the bucket does not show. A mount may stay.',
    );
  }
  return apply;
}
