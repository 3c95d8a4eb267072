import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addActingOptions, type ActingOptions } from './acting-options.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** The flags of `repair`, as commander gives them. */
export interface RepairFlags extends ActingOptions {
  readonly protect?: boolean;
  readonly all?: boolean;
}

/** `layoutfs repair <source> [repository…]`. */
export function repairCommand(context: CommandContext): Command {
  const command = new Command('repair')
    .summary('copy bytes to where a registry has only placeholders')
    .description(
      'Find blobs that a repository cannot read although their bytes are in the bucket, and copy them to its placeholders, verified. Without --apply nothing is written: it says what would be copied, what that costs, and what is lost for good. Ends with exit code 1 when something stays lost or was not done.',
    )
    .usage(
      '[options] <source> [repository...]\n       layoutfs repair [options] --zot-config <file> [repository...]',
    )
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .argument('[repository...]', 'repair these repositories only')
    .option('--protect', 'one copy only of each digest at risk: what a restart of zot would empty');
  addActingOptions(command)
    .option('--all', 'show every entry of long lists')
    .addHelpText('after', EXAMPLES)
    .action(async (first: string | undefined, others: readonly string[]) => {
      const { repair } = await import('./repair.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const flags = command.opts<RepairFlags>();
      const operands = first === undefined ? [] : [first, ...others];
      context.exit(await repair({ ...context, operands, options, flags }));
    });
  return addOptions(command, ['source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs repair 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs repair --protect --apply --registry-stopped 's3://registry/zot?region=eu-west-1'
  layoutfs repair --apply --registry-stopped file:///srv/registry team/app
`;
