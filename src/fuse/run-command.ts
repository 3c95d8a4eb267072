import { spawn } from 'node:child_process';

/** How a command ended. */
export type CommandResult =
  | { readonly kind: 'exited'; readonly code: number; readonly output: string }
  /** No such program. */
  | { readonly kind: 'notFound' }
  /** Still running at the deadline; it was sent SIGKILL, and may be stuck in the kernel. */
  | { readonly kind: 'timedOut' };

export interface RunCommandOptions {
  /** Of this process, for the command to have as 3 and following. */
  readonly descriptors?: readonly number[];
  /** Added to its environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** What we keep of a command's output, in characters. */
const OUTPUT_LIMIT = 4096;

/**
 * Run a command without a shell and wait for its end, but never longer than `deadlineMs`, even if
 * the command cannot be killed (as happens to who asks a FUSE mount that does not answer).
 * Standard output and standard error are answered together, in English.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  deadlineMs: number,
  { descriptors = [], env = {} }: RunCommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
      env: { ...process.env, ...env, LC_ALL: 'C' },
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      if (output.length < OUTPUT_LIMIT) output += chunk.toString();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      // Nor may it keep our process alive.
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ kind: 'timedOut' });
    }, deadlineMs);
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (error.code === 'ENOENT') resolve({ kind: 'notFound' });
      else reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ kind: 'exited', code: code ?? -1, output: output.trim() });
    });
  });
}
