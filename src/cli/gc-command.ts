import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addActingOptions, type ActingOptions } from './acting-options.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** The flags of `gc`, as commander gives them. */
export interface CollectionFlags extends ActingOptions {
  readonly all?: boolean;
}

/** `layoutfs gc <source>`. */
export function gcCommand(context: CommandContext): Command {
  const command = new Command('gc')
    .summary('find blobs that no repository refers to, and delete them')
    .description(
      'Find the blobs of a registry that no index.json reaches. Without --apply nothing is deleted. What any index reaches keeps all its objects, and nothing at all is deleted when a repository cannot be read, an upload is under way, or an index changes meanwhile. Ends with exit code 1 when nothing may be deleted, or not all was.',
    )
    .usage('[options] <source>\n       layoutfs gc [options] --zot-config <file>')
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory');
  addActingOptions(command)
    .option('--all', 'show every entry of long lists')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string | undefined) => {
      const { gc } = await import('./gc.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const flags = command.opts<CollectionFlags>();
      context.exit(await gc({ ...context, source, options, flags }));
    });
  return addOptions(command, ['source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs gc 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs gc --apply --registry-stopped 's3://registry/zot?region=eu-west-1'
  layoutfs gc --json file:///srv/registry | jq -r '.garbage[].key'
`;
