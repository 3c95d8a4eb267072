import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs check <source> [repository…]`. */
export function checkCommand(context: CommandContext): Command {
  const command = new Command('check')
    .summary('look for damage in a registry, without writing')
    .description(
      'Compare what the repositories of a source refer to with what is stored: blobs that are lost, misplaced, of another length or corrupt, and digests that a restart of zot would empty. Writes nothing. Ends with exit code 1 when something is damaged; warnings alone are no damage.',
    )
    .usage(
      '[options] <source> [repository...]\n       layoutfs check [options] --zot-config <file> [repository...]',
    )
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .argument('[repository...]', 'look at these repositories only')
    .option('--read-data', 'read every blob and hash it, not manifests alone')
    .option('--sample <percent>', 'read and hash this part of the blobs, chosen at random')
    .option('--all', 'show every entry of long lists')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (first: string | undefined, others: readonly string[]) => {
      const { check } = await import('./check.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const own = command.opts<{
        json?: boolean;
        all?: boolean;
        readData?: boolean;
        sample?: string;
      }>();
      const { json = false, all = false, readData = false, sample } = own;
      const operands = first === undefined ? [] : [first, ...others];
      context.exit(await check({ ...context, operands, options, json, all, readData, sample }));
    });
  return addOptions(command, ['source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs check 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs check file:///srv/registry team/app team/web
  layoutfs check --read-data file:///srv/registry
  layoutfs check --sample 5 --json file:///srv/registry | jq .verdict
`;
