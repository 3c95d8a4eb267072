import type { FileSystem } from '../../tree/file-system.js';
import { handedDescriptor, mountOfDevice, requireDevice } from '../handed-device.js';
import { type Mount, readMountTable, topMount } from '../mount-table.js';
import { FS_TYPE, prepareMountpoint } from '../mountpoint.js';
import { OwnMount } from '../own-mount.js';
import {
  type MountedFileSystem,
  MountError,
  type Transport,
  type TransportOptions,
} from '../transport.js';
import { unmount } from '../unmount.js';
import { guardExit } from './exit-guard.js';
import { mountByFusermount } from './fusermount.js';
import { mountDevice, openDevice, readFarAhead } from './mount-device.js';
import { probeKernel } from './probe.js';
import { Session } from './session.js';

/** From the mount(2) to the kernel's first request; it is sent at once. */
const INIT_DEADLINE_MS = 10_000;

/** The transport that speaks the FUSE protocol itself. */
export class KernelTransport implements Transport {
  readonly name = 'kernel';

  /** @throws MountError with what to do */
  async mount(fileSystem: FileSystem, options: TransportOptions): Promise<MountedFileSystem> {
    const handed = handedDescriptor(options.mountpoint);
    if (handed !== undefined) return serveHanded(handed, fileSystem, options);
    const mountpoint = await prepareMountpoint(options.mountpoint);
    const { problems } = await probeKernel({ allowOther: options.allowOther });
    if (problems.length > 0) {
      throw new MountError(`${mountpoint} cannot be mounted. ${problems.join(' ')}`);
    }
    const session = await mountSession(fileSystem, { ...options, mountpoint });
    const mount = topMount(await readMountTable(), mountpoint);
    if (mount?.fsType !== FS_TYPE) {
      // Unmounted, or covered, in this very moment. Its session knows when it ends.
      return new OwnMount(mountpoint, undefined, session.ended, session);
    }
    const unguard = guardExit(mount);
    const ended = session.ended.then(() => unguard());
    if (!(await hasBegun(session))) {
      await unmount(mountpoint, { lazy: true });
      throw new MountError(
        `The kernel did not start to talk to the mount on ${mountpoint} within ${INIT_DEADLINE_MS} ms, so it was unmounted; try again, or use the transport "libfuse".`,
      );
    }
    await readFarAhead(mount.device);
    return new OwnMount(mountpoint, mount, ended, session);
  }
}

/** A session on a device that was mounted just now: by `mount` for root, else by fusermount3. */
async function mountSession(fileSystem: FileSystem, options: TransportOptions): Promise<Session> {
  if (process.getuid?.() !== 0) {
    return openSession(await mountByFusermount(options), fileSystem, options);
  }
  const fd = openDevice();
  const session = openSession(fd, fileSystem, options);
  try {
    await mountDevice(fd, options);
    return session;
  } catch (error) {
    session.abandon();
    await session.ended;
    throw error;
  }
}

function openSession(fd: number, fileSystem: FileSystem, options: TransportOptions): Session {
  const { uid, gid, umask, refreshMs, handsFiles = false, log } = options;
  const owner = { uid, gid, umask };
  return new Session(fd, fileSystem, { owner, refreshMs, handsFiles, log });
}

/** Serve a mount that somebody else has made, and will unmount. */
async function serveHanded(
  fd: number,
  fileSystem: FileSystem,
  options: TransportOptions,
): Promise<MountedFileSystem> {
  requireDevice(fd);
  const mount = await mountOfDevice(fd);
  if (mount !== undefined) warnOfOptions(mount, options);
  const session = openSession(fd, fileSystem, options);
  // Whatever happens: no thread may keep the process from ending.
  const unguard = guardExit(undefined);
  const ended = session.ended.then(() => unguard());
  if (!(await hasBegun(session))) {
    session.abandon();
    throw new MountError(
      `The kernel did not start to talk on the file descriptor ${fd} within ${INIT_DEADLINE_MS} ms: hand over a /dev/fuse that was mounted just now and that nobody has served yet.`,
    );
  }
  if (mount !== undefined) await readFarAhead(mount.device);
  // The connection ends when the kernel ends it, or when this process does.
  return {
    ended,
    refresh: () => session.refresh(),
    announced: () => session.announced(),
    requests: () => session.requests(),
    unmount: () => Promise.resolve(),
  };
}

/** What whoever mounted should have asked for. */
function warnOfOptions({ options, mountpoint }: Mount, { log }: TransportOptions): void {
  const missing = ['ro', 'default_permissions'].filter((option) => !options.includes(option));
  if (missing.length === 0) return;
  log.warn(
    { mountpoint, missing },
    `The mount was made without the ${missing.length === 1 ? 'option' : 'options'} ${missing.join(',')}: whoever makes it should add ${missing.length === 1 ? 'it' : 'them'}. Files cannot be changed all the same.`,
  );
}

/** @returns whether the kernel has begun to talk to us, or has ended the session already */
async function hasBegun(session: Session): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), INIT_DEADLINE_MS);
  });
  const outcome = await Promise.race([session.initialized, session.ended, deadline]);
  clearTimeout(timer);
  return outcome !== 'late';
}
