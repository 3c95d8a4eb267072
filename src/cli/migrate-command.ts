import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addActingOptions, type ActingOptions } from './acting-options.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs migrate <source> --to shared|per-repository`. */
export function migrateCommand(context: CommandContext): Command {
  const command = new Command('migrate')
    .summary("move a registry's blobs to another layout")
    .description(
      "Move a zot registry's blobs into one shared directory (storage/blobs), or give every repository whole copies of its own. Shows the plan: what moves, requests, cost, time, and what stands in the way. With --apply it acts: every copy is verified and written down in a journal in the bucket before anything is deleted, so that a run can be gone on with after a crash, and taken back with layoutfs rollback. A mount may go on serving.",
    )
    .usage(
      '[options] --to <layout> <source>\n       layoutfs migrate [options] --to <layout> --zot-config <file>',
    )
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .requiredOption('--to <layout>', 'shared or per-repository');
  addActingOptions(command)
    .option('--all', 'whole lists; without it ten entries of each')
    .option('--plan <id>', 'act only while every index.json is as this plan saw it')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string | undefined) => {
      const { migrateCommandLine } = await import('./migrate.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const own = command.opts<ActingOptions & { to: string }>();
      context.exit(await migrateCommandLine({ ...context, source, options, own, to: own.to }));
    });
  return addOptions(command, ['source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs migrate --to shared 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs migrate --to shared --apply --registry-stopped file:///srv/registry
  layoutfs migrate --to shared --json file:///srv/registry | jq .plan.requests
`;
