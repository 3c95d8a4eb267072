import { Command } from 'commander';
import { addOptions } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs refresh <mountpoint> [repository…]`. */
export function refreshCommand(context: CommandContext): Command {
  const command = new Command('refresh')
    .summary('have a mount see what was pushed, at once')
    .description(
      'Have a mount ask the store now for the index.json of the given repositories; without any, compare everything that may have changed with the store at its next use. Readers see the change at their next open.',
    )
    .argument('<mountpoint>', 'where it is mounted')
    .argument('[repository...]', 'as its path below the mountpoint')
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', NOTES)
    .action(async (mountpoint: string, repositories: string[]) => {
      const { refresh } = await import('./refresh.js');
      const { json } = command.opts<{ json?: boolean }>();
      context.exit(await refresh(context, mountpoint, repositories, { json: json === true }));
    });
  return addOptions(command, ['every']);
}

const NOTES = `
Over the transport "libfuse" the kernel remembers names for up to --refresh, and shows the new
version when nobody has the older one open any more.

Exit codes: 0 done; 1 a repository is not there, or the store did not answer; 2 usage.

Examples:
  layoutfs refresh /mnt/registry
  layoutfs refresh /mnt/registry team/app team/web
  skopeo copy … docker://registry/team/app:v2 && layoutfs refresh /mnt/registry team/app
`;
