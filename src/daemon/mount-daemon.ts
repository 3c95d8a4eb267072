import { currentUser } from '../config/directories.js';
import type { Options } from '../config/options.js';
import { UsageError } from '../config/usage-error.js';
import { shownMountpoint } from '../fuse/handed-device.js';
import { prepareMountpoint } from '../fuse/mountpoint.js';
import { openTransport } from '../fuse/open-transport.js';
import type { MountedFileSystem } from '../fuse/transport.js';
import { Counters } from '../observe/counters.js';
import { Cleanup } from './cleanup.js';
import { askMounts } from './control-client.js';
import { controlSocketPath } from './control-directory.js';
import { serveControl } from './control-server.js';
import type { LogDestination, Logger } from './logger.js';
import { refuseCacheInSource, refuseOwnDirectories } from './own-directories.js';
import { refreshMount } from './refresh.js';
import { keepHeapSmall } from './small-heap.js';
import { describeMount, type MountStatus } from './status.js';
import { ensureStateDir, readInodeKey } from './state-dir.js';
import { StopSignals } from './stop-signals.js';
import { wire, type WiredSource } from './wire.js';

/** One mount, as the command line asks for it. */
export interface MountJob {
  /** As typed; undefined when `options.zotConfig` names the store. */
  readonly source: string | undefined;
  /** As typed. */
  readonly mountpoint: string;
  readonly options: Options;
  readonly stateDir: string;
  readonly version: string;
  readonly logger: Logger;
  readonly logDestination: LogDestination;
  readonly environment: NodeJS.ProcessEnv;
  /** Called once the mount answers. */
  onReady(notes: readonly string[]): Promise<void>;
}

/**
 * A mount's whole life in this process: check the mountpoint and the store, mount, serve, and
 * unmount at SIGTERM, SIGINT or when somebody else unmounts it. SIGHUP refreshes.
 * @returns whether it ended cleanly
 * @throws Error saying why the mount could not be made; nothing is left behind then
 */
export async function runMount(job: MountJob): Promise<boolean> {
  const { log } = job.logger;
  const cleanup = new Cleanup();
  const signals = new StopSignals(log);
  cleanup.add('stop listening to signals', () => signals.close());
  try {
    const mount = await start(job, cleanup, signals);
    // Not sooner: V8 takes no code that was made with other flags (bin/program.js).
    keepHeapSmall();
    await Promise.race([mount.mounted.ended, signals.stopped]);
    mount.stopping();
    log.info({ mountpoint: mount.mountpoint }, 'The mount ends.');
  } catch (error) {
    await cleanup.run(log);
    // What was aborted fails in many words; that it was aborted is the reason.
    if (signals.signal.aborted) throw signals.signal.reason;
    throw error;
  }
  const clean = await cleanup.run(log);
  return clean && !signals.crashed;
}

interface StartedMount {
  readonly mountpoint: string;
  readonly mounted: MountedFileSystem;
  /** Show in `status` that the end has begun. */
  stopping(): void;
}

async function start(job: MountJob, cleanup: Cleanup, signals: StopSignals): Promise<StartedMount> {
  const { log } = job.logger;
  const counters = new Counters();
  // What is quick and local is checked first: its message comes without waiting for a network.
  const transport = await openTransport(job.options.transport, {
    mountpoint: job.mountpoint,
    log,
  });
  if (job.options.hardLinks && transport.name !== 'kernel') {
    throw new UsageError(
      `--hard-links does not work over the transport "${transport.name}", which gives each name of a blob an inode of its own. Add --transport kernel, or leave --hard-links out.`,
    );
  }
  const target = await prepareMountpoint(job.mountpoint);
  // Where it is seen, for people and for the control socket.
  const mountpoint = await shownMountpoint(target);
  await ensureStateDir(job.stateDir);
  const inodeKey = await readInodeKey(job.stateDir);
  const { cacheDir } = job.options;
  const request = { ...job, log, counters, signal: signals.signal };
  const wired = await wire(request, inodeKey, async ({ places }) => {
    await refuseOwnDirectories(mountpoint, places, cacheDir);
    await refuseCacheInSource(
      cacheDir,
      places.map(({ store }) => store.name),
    );
  });
  cleanup.add('close the store', () => wired.close());
  const notes = wired.warnings;
  signals.signal.throwIfAborted();
  const mounted = await transport.mount(wired.tree, {
    mountpoint: target,
    source: wired.name,
    allowOther: job.options.allowOther,
    uid: job.options.uid ?? process.getuid?.() ?? 0,
    gid: job.options.gid ?? process.getgid?.() ?? 0,
    umask: job.options.umask,
    refreshMs: job.options.refresh,
    handsFiles: cacheDir !== undefined,
    log,
  });
  cleanup.add(`unmount ${mountpoint}`, () => mounted.unmount());
  const life: { state: MountStatus['state'] } = { state: 'ready' };
  const status = describeMount({
    job,
    mountpoint,
    wired,
    mounted,
    counters,
    transport: transport.name,
    state: () => life.state,
  });
  await openControl({ job, mountpoint, wired, mounted, cleanup, signals, status });
  log.info(
    {
      source: wired.name,
      mountpoint,
      transport: transport.name,
      registry: wired.registry.description,
    },
    'Mounted.',
  );
  await job.onReady(notes);
  // The directory it was started in may be unmounted or removed while this goes on.
  process.chdir('/');
  return { mountpoint, mounted, stopping: () => (life.state = 'stopping') };
}

/** The control socket. A mount without one works; it only cannot be asked. */
async function openControl(parts: {
  job: MountJob;
  mountpoint: string;
  wired: WiredSource;
  mounted: MountedFileSystem;
  cleanup: Cleanup;
  signals: StopSignals;
  status: () => MountStatus;
}): Promise<void> {
  const { job, wired, cleanup, signals, status } = parts;
  const { log } = job.logger;
  const refresh = async (repositories?: readonly string[]) => {
    if (repositories === undefined) {
      log.info({}, 'Everything that may have changed is compared with the store at its next use.');
    }
    const answer = await refreshMount(
      { catalog: wired.catalog, mounted: parts.mounted },
      repositories,
    );
    if (repositories !== undefined) {
      log.info({ repositories: answer.repositories }, 'Repositories were refreshed.');
    }
    return answer;
  };
  signals.onHangup(() => {
    job.logger.reopen();
    void refresh();
  });
  try {
    // Also takes away the sockets of daemons that were killed here.
    await askMounts(job.environment, currentUser(), parts.mountpoint);
    const path = await controlSocketPath(parts.mountpoint, job.environment, currentUser());
    const control = await serveControl(path, { status, refresh });
    cleanup.add('remove the control socket', () => control.close());
  } catch (error) {
    log.warn({ error }, '"layoutfs status" cannot ask this mount: it has no control socket.');
  }
}
