import { Command, Option } from 'commander';
import { asksForWriting, parseMountOptions } from '../config/mount-options.js';
import { resolveOptions, type WrittenOptions } from '../config/resolve.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

/** Flags of `mount` that are no options of layoutfs: they come from mount(8) or from ourselves. */
interface OwnFlags {
  readonly mountOptions?: readonly string[];
  readonly sloppy?: boolean;
  readonly fake?: boolean;
  readonly readyFd?: number;
}

/** `layoutfs mount <source> <mountpoint>`. */
export function mountCommand(context: CommandContext): Command {
  const command = new Command('mount')
    .summary('mount a source')
    .description(
      'Mount a registry, read-only. Returns when the mount answers, or with the reason why it cannot.',
    )
    .usage(
      '[options] <source> <mountpoint>\n       layoutfs mount [options] --zot-config <file> <mountpoint>',
    )
    .argument('[source]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a directory')
    .argument('[mountpoint]', 'an empty directory')
    .addOption(
      new Option('-o, --mount-options <list>', 'options as in fstab: -o refresh=10s,allow_other')
        .argParser((list: string, earlier?: readonly string[]) => [...(earlier ?? []), list])
        .helpGroup('Mount options:'),
    )
    .addOption(new Option('--sloppy').hideHelp())
    .addOption(new Option('--fake').hideHelp())
    .addOption(new Option('--ready-fd <fd>').argParser(Number).hideHelp())
    .addHelpText('after', EXAMPLES)
    .action(async (first: string | undefined, second: string | undefined) => {
      const { mount } = await import('./mount.js');
      const own = command.opts<OwnFlags>();
      const options = await resolveOptions(written(command, own), context.terminal.environment);
      const code = await mount({
        ...context,
        operands: [first, second].filter((operand) => operand !== undefined),
        options,
        fake: own.fake === true,
        readyFd: own.readyFd,
        askedForWriting: asksForWriting((own.mountOptions ?? []).join(',')),
      });
      context.exit(code);
    });
  return addOptions(command, ['mount', 'source', 'cache', 'every']);
}

/** A flag wins over `-o`, since fstab's lines are the more permanent of the two. */
function written(command: Command, own: OwnFlags): WrittenOptions {
  const list = (own.mountOptions ?? []).join(',');
  return { ...parseMountOptions(list, { sloppy: own.sloppy === true }), ...writtenFlags(command) };
}

const EXAMPLES = `
Examples:
  layoutfs mount 's3://registry/zot?endpoint=https://s3.example.com&region=eu-1' /mnt/registry
  layoutfs mount --include 'team/**' --refresh 30s file:///srv/registry /mnt/team
  layoutfs mount --zot-config /etc/zot/config.json /mnt/registry
  mount -t layoutfs -o allow_other 's3://registry/zot' /mnt/registry
    (mount(8) finds layoutfs after, once: ln -s "$(command -v layoutfs)" /sbin/mount.layoutfs)

Credentials are looked for where the AWS command line looks: the environment, ~/.aws, instance roles.
All options, and their places in a file, in the environment and in fstab: docs/configuration.md
`;
