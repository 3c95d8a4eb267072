import { Command } from 'commander';
import { addOptions } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs umount <mountpoint>`. */
export function umountCommand(context: CommandContext): Command {
  const command = new Command('umount')
    .alias('unmount')
    .summary('unmount, and wait for the daemon to end')
    .description(
      'Unmount a layoutfs and wait until its daemon has ended. A stale mount, whose daemon was killed, is taken away too.',
    )
    .argument('<mountpoint>', 'where it is mounted')
    .option('-l, --lazy', 'detach a busy mount: readers keep what they have open')
    .addHelpText('after', EXAMPLES)
    .action(async (mountpoint: string) => {
      const { umount } = await import('./umount.js');
      const { lazy } = command.opts<{ lazy?: boolean }>();
      context.exit(await umount(context, mountpoint, { lazy: lazy === true }));
    });
  return addOptions(command, ['every']);
}

const EXAMPLES = `
Examples:
  layoutfs umount /mnt/registry
  layoutfs umount --lazy /mnt/registry    (even while something works in it)
`;
