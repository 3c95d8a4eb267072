import { Command } from 'commander';
import { resolveOptions } from '../config/resolve.js';
import { addOptions, writtenFlags } from './command-options.js';
import type { CommandContext } from './program.js';

interface WarmFlags {
  readonly all?: boolean;
  readonly platform?: readonly string[];
  readonly json?: boolean;
}

/** `layoutfs warm <source|mountpoint> <repository>[:tag|@digest]…`. */
export function warmCommand(context: CommandContext): Command {
  const command = new Command('warm')
    .summary('fetch images into the disk cache')
    .description(
      'Fetch images into the disk cache before anybody reads them: of a source into --cache-dir, or, given a mountpoint, into the cache of that mount. What is there already is not fetched again, and what was interrupted is gone on with. Ends with exit code 1 when anything could not be fetched.',
    )
    .usage(
      '[options] <source|mountpoint> <repository>[:tag|@digest]…\n       layoutfs warm [options] --all <source|mountpoint>\n       layoutfs warm [options] --zot-config <file> <repository>[:tag|@digest]…',
    )
    .argument('[target]', 's3://bucket/prefix?endpoint=…&region=…, file:///dir, or a mountpoint')
    .argument(
      '[image...]',
      'a repository, with a tag or a digest or with all it has; names and tags may be globs',
    )
    .option('--all', 'all images of all repositories (see --include and --exclude)')
    .option(
      '--platform <os/arch>',
      'only images for it, e.g. linux/arm64; repeatable (default: all)',
      (one: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), one],
    )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string | undefined, images: readonly string[]) => {
      const { warm } = await import('./warm.js');
      const options = await resolveOptions(writtenFlags(command), context.terminal.environment);
      const { all, platform = [], json } = command.opts<WarmFlags>();
      const operands = target === undefined ? [] : [target, ...images];
      context.exit(
        await warm({
          ...context,
          operands,
          options,
          all: all === true,
          platforms: platform,
          json: json === true,
        }),
      );
    });
  return addOptions(command, ['cache', 'source', 'every']);
}

const EXAMPLES = `
Examples:
  layoutfs warm --cache-dir /var/cache/layoutfs 's3://registry/zot?endpoint=https://s3.example.com' team/app:v1
  layoutfs warm /mnt/registry 'team/*:v1.*' base/debian@sha256:…
  layoutfs warm /mnt/registry --all --platform linux/arm64
`;
