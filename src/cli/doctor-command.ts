import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** `layoutfs doctor [source]`. */
export function doctorCommand(context: CommandContext): Command {
  const command = new Command('doctor')
    .summary('can this host mount, and can it read that source')
    .description(
      'Check whether this host is able to mount and, given a source, whether it can be reached, what its layout is and what we may do there. Changes nothing there. Ends with exit code 1 when a mount would fail.',
    )
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string | undefined) => {
      const { doctor } = await import('./doctor.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const { json } = command.opts<{ json?: boolean }>();
      context.exit(await doctor(context, source, options, { json: json === true }));
    });
  return addOptions(command, ['source', 'cache', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs doctor
  layoutfs doctor --cache-dir /var/cache/layoutfs
  layoutfs doctor 's3://registry/zot?endpoint=https://s3.example.com'
  layoutfs doctor --json --zot-config /etc/zot/config.json
`;
