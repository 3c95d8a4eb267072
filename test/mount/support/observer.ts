import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

import { type MemoryMount, NOBODY } from './memory-mount.js';

const run = promisify(execFile);

/** Keeps the mount namespace of a daemon, to look at what is left there when the daemon is gone. */
export class Observer {
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
  }

  static async start(mount: MemoryMount): Promise<Observer> {
    const command = ['-t', String(mount.daemon.pid), '-m', '--', 'sh', '-c', 'echo; exec sleep 60'];
    const keeper = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(keeper.stdout, 'data');
    return new Observer(keeper);
  }

  /** The mount table. */
  mounts(): Promise<string> {
    return this.asNobody('cat', '/proc/self/mounts');
  }

  async asNobody(program: string, ...args: string[]): Promise<string> {
    const enter = ['-t', String(this.#keeper.pid), '-m', '--', 'setpriv', '--clear-groups'];
    const user = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--'];
    return (await run('nsenter', [...enter, ...user, program, ...args])).stdout;
  }

  stop(): void {
    this.#keeper.kill('SIGKILL');
  }
}
