import { spawn } from 'node:child_process';

/** How a command ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds; then the command and all it started are killed. */
  readonly timeout?: number;
}

/**
 * Run a command in a process group of its own and wait for its end, whatever its exit code. Tests
 * touch a mount through this only: a file-system call of the test process itself would block Node.
 * @throws Error when the command cannot be started, is ended by a signal, or outlives its timeout.
 */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env, timeout = 60_000 }: RunOptions = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, LC_ALL: 'C', ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text: string) => (output[name] += text));
    }
    const said = (): string => `${[command, ...args].join(' ')}\n${output.stdout}${output.stderr}`;
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      reject(new Error(`Still running after ${timeout} ms: ${said()}`));
    }, timeout);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(
        new Error(`${command} cannot be started; run scripts/install-system-packages test.`, {
          cause: error,
        }),
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === null) reject(new Error(`Ended by ${signal ?? 'a signal'}: ${said()}`));
      else resolve({ code, ...output });
    });
  });
}

/**
 * As {@link run}, for a command that must succeed; answers its standard output.
 * @throws Error with the command's own words when its exit code is not 0.
 */
export async function runOk(
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`Exit code ${code}: ${[command, ...args].join(' ')}\n${stderr}`);
  return stdout;
}
