import { Command } from 'commander';
import { addOptions } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs status [mountpoint]`. */
export function statusCommand(context: CommandContext): Command {
  const command = new Command('status')
    .summary('what the mounts of this user are doing')
    .description('Ask the running mounts of this user, or the one at a mountpoint, how they are.')
    .argument('[mountpoint]', 'only this mount, with all its counters')
    .option('--json', 'print the answers as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (mountpoint: string | undefined) => {
      const { status } = await import('./status.js');
      const { json } = command.opts<{ json?: boolean }>();
      context.exit(await status(context, mountpoint, { json: json === true }));
    });
  return addOptions(command, ['every']);
}

const EXAMPLES = `
Examples:
  layoutfs status
  layoutfs status /mnt/registry
  layoutfs status --json /mnt/registry | jq .counters
`;
