import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs ls <source> [repository]`. */
export function lsCommand(context: CommandContext): Command {
  const command = new Command('ls')
    .summary('list the repositories of a source, or the images of one repository')
    .description(
      'List the repositories of a source, or what one repository contains. Ends with exit code 1 when the registry has lost bytes that it should have.',
    )
    .usage(
      '[options] <source> [repository]\n       layoutfs ls [options] --zot-config <file> [repository]',
    )
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .argument('[repository]', 'the name of one repository')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (first: string | undefined, second: string | undefined) => {
      const { ls } = await import('./ls.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const { json } = command.opts<{ json?: boolean }>();
      const operands = [first, second].filter((operand) => operand !== undefined);
      context.exit(await ls({ ...context, operands, options, json: json === true }));
    });
  return addOptions(command, ['source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs ls 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs ls file:///srv/registry team/app
  layoutfs ls --json file:///srv/registry | jq -r '.repositories[].name'
`;
