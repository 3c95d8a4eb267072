import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { currentUser, defaultStateDir } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { RepositoryFilter } from '../config/repository-filter.js';
import { UsageError } from '../config/usage-error.js';
import { startInBackground } from '../daemon/background.js';
import { DEVICE_FD, READY_FD, sendHandshake } from '../daemon/handshake.js';
import type { LogDestination } from '../daemon/logger.js';
import { defaultLogFile, ensureStateDir } from '../daemon/state-dir.js';
import { handedDescriptor, shownMountpoint } from '../fuse/handed-device.js';
import { prepareMountpoint } from '../fuse/mountpoint.js';
import { parseSource } from '../store/source.js';
import { describeError, EXIT, type ExitCode, exitCodeOf } from './exit-code.js';
import type { CommandContext } from './program.js';
import { packageVersion } from './version.js';

export interface MountRequest extends CommandContext {
  /** Source and mountpoint, or the mountpoint alone. */
  readonly operands: readonly string[];
  readonly options: Options;
  /** Only check what was asked for (`mount -f`). */
  readonly fake: boolean;
  /** Where the parent in {@link startInBackground} waits for the handshake. */
  readonly readyFd: number | undefined;
  /** `-o rw` was written. */
  readonly askedForWriting: boolean;
}

/** Longest wait for a mount in the background, unless the store is given longer. */
const READY_LIMIT_MS = 30_000;

/**
 * Run the command.
 * @throws UsageError, SourceError, MountError and what opening the source throws
 */
export async function mount(request: MountRequest): Promise<ExitCode> {
  const { source, mountpoint } = splitOperands(request.operands, request.options);
  const { options, terminal } = request;
  // Mistakes in what was typed are answered here, without a second process and its log.
  if (source !== undefined) parseSource(source);
  new RepositoryFilter(options);
  const stateDir = resolve(
    options.stateDir ?? defaultStateDir(terminal.environment, currentUser()),
  );
  // The daemon in the background has nobody to tell.
  if (request.readyFd === undefined) {
    for (const note of notesOn(request, mountpoint)) terminal.err(`layoutfs: ${note}\n`);
  }
  if (request.fake) return EXIT.done;
  const job: PlannedMount = { request, source, mountpoint, stateDir };
  return options.foreground ? stay(job) : leave(job);
}

/** What the user should know about the command itself, full sentences. */
function notesOn({ askedForWriting }: MountRequest, mountpoint: string): string[] {
  const path = resolve(mountpoint);
  const [odd] = /[:@]/.exec(path) ?? [];
  return [
    ...(askedForWriting ? ['The mount is read-only, whatever -o rw asks for.'] : []),
    ...(odd === undefined
      ? []
      : [
          `The mountpoint ${path} has a "${odd}" in it: skopeo and umoci end a layout's path there, so they cannot name images in it.`,
        ]),
  ];
}

interface PlannedMount {
  readonly request: MountRequest;
  readonly source: string | undefined;
  readonly mountpoint: string;
  readonly stateDir: string;
}

function splitOperands(
  operands: readonly string[],
  { zotConfig }: Options,
): { source: string | undefined; mountpoint: string } {
  const [first, second] = operands;
  if (first !== undefined && second !== undefined) {
    // fstab has a column for the source, so something stands there.
    if (zotConfig !== undefined && first === 'none')
      return { source: undefined, mountpoint: second };
    if (zotConfig === undefined) return { source: first, mountpoint: second };
    throw new UsageError('Give either a source or --zot-config, not both.');
  }
  if (first !== undefined && zotConfig !== undefined) {
    return { source: undefined, mountpoint: first };
  }
  throw new UsageError(
    `Name ${first === undefined ? 'a source and a mountpoint' : 'a mountpoint after the source'}: layoutfs mount <source> <mountpoint>. See layoutfs mount --help.`,
  );
}

/** Be the mount, until it ends. */
async function stay(job: PlannedMount): Promise<ExitCode> {
  const { request, stateDir } = job;
  const { options, terminal, readyFd } = request;
  const logDestination = destination(options.log ?? 'stderr');
  // Only here: whoever starts a mount in the background need not wait for them.
  const { openLogger } = await import('../daemon/logger.js');
  const { runMount } = await import('../daemon/mount-daemon.js');
  let logger;
  try {
    logger = await openLogger({ destination: logDestination, level: options.logLevel });
    const clean = await runMount({
      ...job,
      options,
      logger,
      logDestination,
      version: packageVersion(),
      environment: terminal.environment,
      stateDir,
      onReady: async (notes) => {
        if (readyFd === undefined) return;
        await sendHandshake(readyFd, { ready: true, pid: process.pid, notes });
      },
    });
    return clean ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (readyFd === undefined) throw error;
    logger?.log.error({ error }, 'The mount could not be made.');
    const message = describeError(error, { detail: options.logLevel === 'debug' });
    const exitCode = exitCodeOf(error);
    await sendHandshake(readyFd, { ready: false, message, exitCode });
    return exitCode;
  } finally {
    await logger?.close();
  }
}

/** Start the mount as a daemon and answer as soon as it answers. */
async function leave(job: PlannedMount): Promise<ExitCode> {
  const { request, mountpoint, stateDir } = job;
  const { options, terminal, commandLine } = request;
  const log = options.log === undefined ? undefined : destination(options.log);
  if (log === 'stderr') {
    throw new UsageError(
      'A mount in the background has no standard error: use --log with a file or journal, or --foreground.',
    );
  }
  // Also done by the daemon; done here first, its messages come sooner.
  const path = await prepareMountpoint(mountpoint);
  await ensureStateDir(stateDir);
  const shown = await shownMountpoint(path);
  const fallback = defaultLogFile(stateDir, shown);
  const deviceFd = handedDescriptor(path);
  const [, ...words] = commandLine;
  const rest = deviceFd === undefined ? words : withDevice(words, mountpoint);
  const handshake = await startInBackground({
    command: process.execPath,
    args: [
      ...process.execArgv,
      fileURLToPath(new URL('../../bin/layoutfs', import.meta.url)),
      'mount',
      // In front of what was typed, so that they stand before a "--" there.
      ...['--foreground', '--ready-fd', String(READY_FD), '--log', log ?? fallback],
      ...rest,
    ],
    logFile: log === undefined || log === 'journal' ? fallback : log,
    limitMs: Math.max(READY_LIMIT_MS, 3 * options.requestTimeout),
    signal: interruptSignal(),
    deviceFd,
  });
  if (!handshake.ready) {
    terminal.err(handshake.message);
    return handshake.exitCode === EXIT.usage ? EXIT.usage : EXIT.failed;
  }
  for (const note of handshake.notes) terminal.err(`layoutfs: ${note}\n`);
  if (terminal.interactive) {
    terminal.err(
      `Mounted on ${shown} by process ${handshake.pid}; its log is ${log ?? fallback}\n`,
    );
  }
  return EXIT.done;
}

/** The command line of a daemon, which has the handed device under another number than we. */
function withDevice(words: readonly string[], mountpoint: string): string[] {
  const position = words.lastIndexOf(mountpoint);
  return words.map((word, index) => (index === position ? `/dev/fd/${DEVICE_FD}` : word));
}

/** `stderr`, `journal`, or an absolute path: the daemon leaves the directory it was started in. */
function destination(written: string): LogDestination {
  return written === 'stderr' || written === 'journal' ? written : resolve(written);
}

/** Aborts at Ctrl-C, so that a mount that was still being made does not stay. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error(name)));
  }
  return controller.signal;
}
