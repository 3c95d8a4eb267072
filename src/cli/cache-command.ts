import { Command } from 'commander';
import { parseDuration } from '../config/duration.js';
import { resolveOptions } from '../config/resolve.js';
import { UsageError } from '../config/usage-error.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs cache ls|verify|prune`. */
export function cacheCommand(context: CommandContext): Command {
  return new Command('cache')
    .summary('look at, check and empty a disk cache')
    .description(
      'Look at, check and empty the directory that --cache-dir names. All of it works beside running mounts.',
    )
    .addHelpText('after', EXAMPLES)
    .addCommand(lsCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(pruneCommand(context));
}

const EXAMPLES = `
Examples:
  layoutfs cache ls --cache-dir /var/cache/layoutfs
  layoutfs cache verify --cache-dir /var/cache/layoutfs
  layoutfs cache prune --cache-dir /var/cache/layoutfs --older-than 720h
`;

function lsCommand(context: CommandContext): Command {
  const command = new Command('ls')
    .summary('list the blobs in the cache')
    .description('List the blobs in the cache, those used last first.')
    .option('--json', 'print JSON')
    .addHelpText('after', LS_EXAMPLES)
    .action(async () => {
      const { cacheLs } = await import('./cache-ls.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const { json } = command.opts<{ json?: boolean }>();
      context.exit(await cacheLs(context, options, { json: json === true }));
    });
  return addOptions(command, ['cache', 'every']);
}

const LS_EXAMPLES = `
Examples:
  layoutfs cache ls --cache-dir /var/cache/layoutfs
  layoutfs cache ls --cache-dir /var/cache/layoutfs --json | jq -r '.entries[].digest'
`;

function verifyCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .summary('hash everything in the cache again')
    .description(
      'Read everything in the cache, compare it with its digests, and remove what is damaged: it is fetched again when it is read. Ends with exit code 1 when anything was damaged.',
    )
    .option('-n, --dry-run', 'remove nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', VERIFY_EXAMPLES)
    .action(async () => {
      const { cacheVerify } = await import('./cache-verify.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const { json, dryRun } = command.opts<{ json?: boolean; dryRun?: boolean }>();
      const request = { json: json === true, dryRun: dryRun === true };
      context.exit(await cacheVerify(context, options, request));
    });
  return addOptions(command, ['cache', 'every']);
}

const VERIFY_EXAMPLES = `
Examples:
  layoutfs cache verify --cache-dir /var/cache/layoutfs
  layoutfs cache verify --cache-dir /var/cache/layoutfs --dry-run --json
`;

interface PruneFlags {
  readonly all?: boolean;
  readonly olderThan?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

function pruneCommand(context: CommandContext): Command {
  const command = new Command('prune')
    .summary('remove blobs from the cache')
    .description(
      'Remove what was used longest ago, until the cache fits --cache-size and leaves --cache-min-free, as mounts do by themselves; or what --older-than or --all says. What anybody has open stays. Nothing is lost: blobs are fetched again when they are read.',
    )
    .option('--older-than <duration>', 'remove what was not used for so long, e.g. 720h')
    .option('--all', 'remove everything')
    .option('-n, --dry-run', 'only say what would be removed')
    .option('--json', 'print JSON')
    .addHelpText('after', PRUNE_EXAMPLES)
    .action(async () => {
      const { cachePrune } = await import('./cache-prune.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const flags = command.opts<PruneFlags>();
      context.exit(
        await cachePrune(context, options, {
          ...ruleOf(flags),
          dryRun: flags.dryRun === true,
          json: flags.json === true,
        }),
      );
    });
  return addOptions(command, ['cache', 'every']);
}

/** @throws UsageError */
function ruleOf({ all, olderThan }: PruneFlags): { all: boolean; unusedMs?: number } {
  if (olderThan === undefined) return { all: all === true };
  if (all === true) throw new UsageError('Give either --all or --older-than, not both.');
  const unusedMs = parseDuration(olderThan);
  if (unusedMs !== undefined) return { all: false, unusedMs };
  throw new UsageError(
    `--older-than: "${olderThan}" is not a duration: write a number and a unit, such as 12h or 30m.`,
  );
}

const PRUNE_EXAMPLES = `
Examples:
  layoutfs cache prune --cache-dir /var/cache/layoutfs --cache-size 5GiB
  layoutfs cache prune --cache-dir /var/cache/layoutfs --older-than 720h --dry-run
  layoutfs cache prune --cache-dir /var/cache/layoutfs --all
`;
