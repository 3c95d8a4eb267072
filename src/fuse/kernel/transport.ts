import type { FileSystem } from '../../tree/file-system.js';
import { readMountTable, topMount } from '../mount-table.js';
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
    const mountpoint = await prepareMountpoint(options.mountpoint);
    const { problems } = await probeKernel();
    if (problems.length > 0) {
      throw new MountError(`${mountpoint} cannot be mounted. ${problems.join(' ')}`);
    }
    const { uid, gid, refreshMs, log } = options;
    const fd = openDevice();
    const session = new Session(fd, fileSystem, { owner: { uid, gid }, refreshMs, log });
    try {
      await mountDevice(fd, { ...options, mountpoint });
    } catch (error) {
      session.abandon();
      await session.ended;
      throw error;
    }
    const mount = topMount(await readMountTable(), mountpoint);
    if (mount?.fsType !== FS_TYPE) {
      // Unmounted, or covered, in this very moment. Its session knows when it ends.
      return new OwnMount(mountpoint, undefined, session.ended, session);
    }
    const unguard = guardExit(mount);
    const ended = session.ended.then(() => unguard());
    await initialized(session, mountpoint);
    await readFarAhead(mount.device);
    return new OwnMount(mountpoint, mount, ended, session);
  }
}

async function initialized(session: Session, mountpoint: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), INIT_DEADLINE_MS);
  });
  const outcome = await Promise.race([session.initialized, session.ended, deadline]);
  clearTimeout(timer);
  if (outcome !== 'late') return;
  await unmount(mountpoint, { lazy: true });
  throw new MountError(
    `The kernel did not start to talk to the mount on ${mountpoint} within ${INIT_DEADLINE_MS} ms, so it was unmounted; try again, or use the transport "libfuse".`,
  );
}
