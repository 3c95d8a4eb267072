import { basename } from 'node:path';
import { describeError, EXIT, exitCodeOf } from './exit-code.js';
import { MOUNT_HELPER, translateFuseHelper, translateMountHelper } from './mount-helper.js';
import { processTerminal } from './terminal.js';

/** The program's entry: called by bin/layoutfs, also under the name of the mount helper. */
export async function main(): Promise<void> {
  // The SDK warns on every start that a later version of it will not run on Node 20; ours is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const terminal = processTerminal();
  const [, script = '', ...written] = process.argv;
  let commandLine: readonly string[] = written;
  try {
    commandLine =
      basename(script) === MOUNT_HELPER
        ? translateMountHelper(written)
        : (translateFuseHelper(written) ?? written);
  } catch (error) {
    terminal.err(describeError(error));
    process.exitCode = exitCodeOf(error);
    return;
  }
  const { runProgram } = await import('./program.js');
  const code =
    commandLine.length === 0 ? await help(terminal) : await runProgram(commandLine, terminal);
  await finish(code);
}

/** Without a command: the help, as an error, because nothing was done. */
async function help(terminal: ReturnType<typeof processTerminal>): Promise<number> {
  const { runProgram } = await import('./program.js');
  await runProgram(['--help'], { ...terminal, out: (text) => terminal.err(text) });
  return EXIT.usage;
}

/** Leave once all output is written, even if a library still holds a timer or a socket. */
async function finish(code: number): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  await new Promise<void>((resolve) => process.stderr.write('', () => resolve()));
  process.exit(code);
}
