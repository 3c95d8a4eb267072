import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addActingOptions, type ActingOptions } from './acting-options.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs rollback <source>`. */
export function rollbackCommand(context: CommandContext): Command {
  const command = new Command('rollback')
    .summary('take a migration back')
    .description(
      'Return every object that a layoutfs migrate run changed to exactly what it was, by the journal that the run left in the bucket; what was pushed since is given to the repositories that refer to it. Shows the plan; with --apply it acts. Without a journal the plan is to give every repository whole copies of all that it refers to, which --by-closure does.',
    )
    .usage('[options] <source>\n       layoutfs rollback [options] --zot-config <file>')
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .option('--run <id>', 'the run to take back (default: the newest)')
    .option('--by-closure', 'whole copies for every repository, without a journal');
  addActingOptions(command)
    .option('--all', 'whole lists; without it ten entries of each')
    .option('--plan <id>', 'act only while every index.json is as this plan saw it')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string | undefined) => {
      const { rollbackCommandLine } = await import('./rollback.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const own = command.opts<ActingOptions & { run?: string; byClosure?: boolean }>();
      const { run, byClosure = false } = own;
      context.exit(await rollbackCommandLine({ ...context, source, options, own, run, byClosure }));
    });
  return addOptions(command, ['source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs rollback 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs rollback --apply --registry-stopped file:///srv/registry
  layoutfs rollback --by-closure file:///srv/registry
`;
