import { Command, CommanderError } from 'commander';
import { cacheCommand } from './cache-command.js';
import { checkCommand } from './check-command.js';
import { doctorCommand } from './doctor-command.js';
import { describeError, EXIT, type ExitCode, exitCodeOf } from './exit-code.js';
import { gcCommand } from './gc-command.js';
import { lsCommand } from './ls-command.js';
import { migrateCommand } from './migrate-command.js';
import { mountCommand } from './mount-command.js';
import { refreshCommand } from './refresh-command.js';
import { repairCommand } from './repair-command.js';
import { rollbackCommand } from './rollback-command.js';
import { statusCommand } from './status-command.js';
import type { Terminal } from './terminal.js';
import { umountCommand } from './umount-command.js';
import { packageVersion } from './version.js';
import { warmCommand } from './warm-command.js';

/** What every command is given. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** The arguments after the program's name, for the daemon that `mount` starts. */
  readonly commandLine: readonly string[];
  /** Say how the command ended; without a call it is done. */
  exit(code: ExitCode): void;
}

/**
 * Run one command line (without `node` and the script) to its end.
 * @returns the exit code; never throws
 */
export async function runProgram(
  commandLine: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const program = buildProgram({ terminal, commandLine, exit: (given) => (code = given) });
  try {
    await program.parseAsync(commandLine, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has printed its message by then: the help, the version, or what was wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    terminal.err(describeError(error, { detail: wantsDetail(commandLine, terminal) }));
    return exitCodeOf(error);
  }
}

function buildProgram(context: CommandContext): Command {
  const { terminal } = context;
  const program = new Command('layoutfs')
    .description(
      "Mount a container registry's bucket and read every repository as its own OCI image layout.",
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .showSuggestionAfterError(true);
  const commands = [
    mountCommand,
    umountCommand,
    lsCommand,
    warmCommand,
    checkCommand,
    repairCommand,
    gcCommand,
    migrateCommand,
    rollbackCommand,
    statusCommand,
    refreshCommand,
    doctorCommand,
    cacheCommand,
  ];
  for (const command of commands) program.addCommand(command(context));
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: terminal.out.bind(terminal),
      writeErr: terminal.err.bind(terminal),
      outputError: (text, write) => write(usageLine(text, nameOf(command))),
      getOutHelpWidth: () => terminal.columns ?? 100,
      getOutHasColors: () => terminal.colours,
    });
  }
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** As it is typed, without the program: `cache ls`; empty for the program itself. */
function nameOf(command: Command): string {
  return command.parent === null ? '' : `${nameOf(command.parent)} ${command.name()}`.trim();
}

const EXAMPLES = `
Examples:
  layoutfs mount 's3://registry/zot?endpoint=https://s3.example.com' /mnt/registry
  layoutfs ls file:///srv/registry team/app
  skopeo copy oci:/mnt/registry/team/app:v1 docker-archive:app.tar
  layoutfs umount /mnt/registry

Each command explains itself: layoutfs mount --help
`;

/** Commander's `error: …` lines as one line in our own form. */
function usageLine(text: string, command: string): string {
  const message = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ');
  const help = command === '' ? 'layoutfs --help' : `layoutfs ${command} --help`;
  return `layoutfs: ${message}${/[.?)]$/.test(message) ? '' : '.'} See ${help}.\n`;
}

/** Whether stack traces were asked for, told before (or although) options could not be read. */
function wantsDetail(commandLine: readonly string[], terminal: Terminal): boolean {
  const flag = commandLine.indexOf('--log-level');
  return (
    (flag >= 0 && commandLine[flag + 1] === 'debug') ||
    commandLine.includes('--log-level=debug') ||
    terminal.environment['LAYOUTFS_LOG_LEVEL'] === 'debug'
  );
}
