import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { TransportName } from '../../../src/fuse/open-transport.js';
import { readMountTable } from '../../../src/fuse/mount-table.js';
import type { Command, Report } from './memory-daemon.js';
import type { Announced, MemoryFile } from './memory-file-system.js';

const run = promisify(execFile);
const REPOSITORY = new URL('../../..', import.meta.url).pathname;
export const COMPILED = join(REPOSITORY, 'node_modules/.cache/layoutfs-test');

/** Some tests prepare what only root can: other mounts, other users, a kernel that forgets. */
export const IS_ROOT = process.getuid?.() === 0;

/**
 * The transport that the tests run over: LAYOUTFS_TRANSPORT, as for the daemon itself, or the default.
 * What they expect is the same but where they say otherwise.
 */
export const TEST_TRANSPORT: 'kernel' | 'libfuse' =
  process.env['LAYOUTFS_TRANSPORT'] === 'libfuse' ? 'libfuse' : 'kernel';

/**
 * Compile the daemon that tests start: Node 20 runs no TypeScript, and vitest lends its own loader
 * to nobody. Within node_modules, so that the compiled files find the packages.
 */
export async function compileDaemon(): Promise<void> {
  // For the project mount-user, scripts/test has compiled it: here nothing may be written.
  if (!IS_ROOT && (await access(COMPILED, constants.W_OK).catch(() => 'closed')) === 'closed')
    return;
  await run('npx', ['tsc', '-p', join(REPOSITORY, 'test/mount/support/tsconfig.json')], {
    cwd: REPOSITORY,
  });
}

export interface MemoryMountOptions {
  readonly transport?: TransportName;
  /** Default: a new directory. */
  readonly mountpoint?: string;
  readonly source?: string;
  readonly allowOther?: boolean;
  readonly umask?: number;
  readonly refreshMs?: number;
  /** Run the daemon as {@link NOBODY}, in a mount namespace where all may open /dev/fuse. */
  readonly unprivileged?: boolean;
  /** Shell commands for root to change that namespace with. */
  readonly prepare?: string;
  /** Added to the daemon's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** An ordinary user. */
export const NOBODY = 65534;

/**
 * Become an ordinary user who may mount: hosts let all open /dev/fuse (mode 0666), but containers
 * and test machines may not. `$0` is a directory to put such a device into.
 */
const AS_NOBODY = `
mount -t tmpfs -o mode=0755 devices "$0"
mknod -m 0666 "$0/fuse" c 10 229
mount --bind "$0/fuse" /dev/fuse
eval "$PREPARE"
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups -- "$@"`;

const alive = new Set<MemoryMount>();

/** A file system in memory, mounted by a process of its own. */
export class MemoryMount {
  readonly directory: string;
  readonly daemon: ChildProcess;
  /** Standard error of the daemon, libfuse's own words among it. */
  stderr = '';
  readonly #answers = new Map<number, (answer: { value?: unknown; error?: string }) => void>();
  readonly #home: string;
  #lastId = 0;

  private constructor(home: string, directory: string, daemon: ChildProcess) {
    this.#home = home;
    this.directory = directory;
    this.daemon = daemon;
    daemon.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    daemon.on('message', ({ id, ...answer }: { id: number; value?: unknown; error?: string }) => {
      this.#answers.get(id)?.(answer);
      this.#answers.delete(id);
    });
    daemon.on('exit', (code, signal) => {
      const error = `the daemon ended (${signal ?? String(code)}): ${this.stderr}`;
      for (const answer of this.#answers.values()) answer({ error });
      this.#answers.clear();
    });
  }

  /** Start the daemon and mount. */
  static async start(
    files: Readonly<Record<string, MemoryFile>>,
    options: MemoryMountOptions = {},
  ): Promise<MemoryMount> {
    const mount = await MemoryMount.startDaemon(options);
    for (const [path, file] of Object.entries(files)) await mount.put(path, file);
    await mount.mount(options);
    return mount;
  }

  /** Start the daemon only. */
  static async startDaemon(options: MemoryMountOptions = {}): Promise<MemoryMount> {
    const { mountpoint, unprivileged = false, prepare = '', env = {} } = options;
    const home = await mkdtemp(join(tmpdir(), 'layoutfs-mount-'));
    const directory = mountpoint ?? join(home, 'mountpoint');
    await chmod(home, 0o755);
    if (mountpoint === undefined) await mkdir(directory);
    const asNobody = [
      '--mount',
      '--propagation',
      'slave',
      '--',
      'sh',
      '-ec',
      AS_NOBODY,
      join(home, 'devices'),
    ];
    if (unprivileged) {
      await mkdir(join(home, 'devices'));
      await chown(directory, NOBODY, NOBODY);
    }
    const daemon = fork(join(COMPILED, 'test/mount/support/memory-daemon.js'), {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, PREPARE: prepare, ...env },
      ...(unprivileged ? { execPath: 'unshare', execArgv: [...asNobody, process.execPath] } : {}),
    });
    const mount = new MemoryMount(home, directory, daemon);
    alive.add(mount);
    return mount;
  }

  mount(options: MemoryMountOptions = {}): Promise<string> {
    return this.#send({
      do: 'mount',
      transport: options.transport ?? TEST_TRANSPORT,
      mountpoint: options.mountpoint ?? this.directory,
      source: options.source ?? 'memory',
      allowOther: options.allowOther ?? false,
      umask: options.umask ?? 0,
      refreshMs: options.refreshMs ?? 0,
    });
  }

  /** A file beside the mount, for a test to put names into. */
  get names(): string {
    return join(this.#home, 'names');
  }

  /** A path below the mount. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Run a command as an ordinary user who sees what the daemon sees. */
  async asNobody(program: string, ...args: string[]): Promise<string> {
    const enter = ['-t', String(this.daemon.pid), '-m', '--', 'setpriv', '--clear-groups'];
    const user = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--'];
    return (await run('nsenter', [...enter, ...user, program, ...args])).stdout;
  }

  put(path: string, file: MemoryFile): Promise<void> {
    return this.#send({ do: 'put', path, file });
  }

  alter(path: string, file: MemoryFile): Promise<void> {
    return this.#send({ do: 'alter', path, file });
  }

  remove(path: string): Promise<void> {
    return this.#send({ do: 'remove', path });
  }

  /** Have the file system tell of a change, and wait until the kernel has taken notice. */
  announce(what: Announced, path: string): Promise<boolean | undefined> {
    return this.#send({ do: 'announce', what, path });
  }

  unmount(): Promise<void> {
    return this.#send({ do: 'unmount' });
  }

  /** Answered when the transport says that the mount has ended. */
  waitForEnd(): Promise<void> {
    return this.#send({ do: 'waitForEnd' });
  }

  report(): Promise<Report> {
    return this.#send({ do: 'report' });
  }

  /** Let the daemon end by itself, if nothing keeps it. */
  letGo(): Promise<void> {
    return this.#send({ do: 'letGo' });
  }

  /** Let the daemon end its process while it is mounted, on purpose or by an unexpected error. */
  async leave(how: 'exit' | 'crash'): Promise<number | null> {
    const exit = once(this.daemon, 'exit') as Promise<[number | null]>;
    await this.#send({ do: how });
    return (await exit)[0];
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.daemon.exitCode !== null || this.daemon.signalCode !== null) return;
    const exit = once(this.daemon, 'exit');
    this.daemon.kill(signal);
    await exit;
  }

  #send<T>(command: Command): Promise<T> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, ({ value, error }) => {
        if (error === undefined) resolve(value as T);
        else reject(new Error(error));
      });
      this.daemon.send({ id, command }, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  /** Leave nothing behind, whatever state the mount is in. */
  async dispose(): Promise<void> {
    alive.delete(this);
    await this.kill();
    for (const mount of (await readMountTable()).reverse()) {
      if (mount.mountpoint === this.directory) await run('umount', ['-l', this.directory]);
    }
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** For `afterEach`: dispose of every mount that a test has started, also one that failed. */
export async function disposeMounts(): Promise<void> {
  for (const mount of alive) await mount.dispose();
}
