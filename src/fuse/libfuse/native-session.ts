import { readdir, readlink } from 'node:fs/promises';

import { MountError } from '../transport.js';
import type { FuseNativeLibrary, FuseOperations } from './fuse-native.js';
import { packStat } from './stat.js';

/** fuse-native copies the mountpoint into 1024 bytes, the last of them NUL, and cuts the rest. */
const MAX_MOUNTPOINT_BYTES = 1023;

/** From the mount(2) to the kernel's first request; it is sent at once. */
const INIT_DEADLINE_MS = 10_000;

/** How often we look whether libfuse has given up the device. */
const WATCH_INTERVAL_MS = 200;

/**
 * One FUSE session of libfuse 2.9, from mount(2) to the end of its threads.
 *
 * We call the native half of fuse-native ourselves. The package's own `mount` refuses a directory
 * that is a mountpoint already (a container's volume), and its `unmount` runs an unquoted line in a
 * shell. Its timeouts are off: an answer after a timeout would write into memory that libfuse has
 * freed. Without them each request is answered exactly once, and until then libfuse keeps the
 * request's memory and thread, even after the mount has ended; so a late answer does no harm.
 */
export class NativeSession {
  /** Settles when the kernel has ended the session and all requests are answered. */
  readonly ended: Promise<void>;

  private constructor(ended: Promise<void>) {
    this.ended = ended;
  }

  /**
   * Mount, and answer when the kernel talks to us.
   * @param mountpoint absolute path of a directory
   * @param options libfuse's `-o...` argument
   * @param onThread told how many threads libfuse has made so far. It ends a thread when more than
   *   ten are idle, and makes another when none is; fuse-native keeps the memory and the wake-up
   *   handle of each for ever, and Node walks all handles at every request
   * @throws MountError
   */
  static async start(
    library: FuseNativeLibrary,
    mountpoint: string,
    options: string,
    operations: FuseOperations,
    onThread: (count: number) => void,
  ): Promise<NativeSession> {
    if (Buffer.byteLength(mountpoint) > MAX_MOUNTPOINT_BYTES) {
      throw new MountError(
        `The path of the mountpoint is longer than ${MAX_MOUNTPOINT_BYTES} bytes; choose a shorter one.`,
      );
    }
    const { Fuse, binding } = library;
    let initialized = (): void => undefined;
    const init = new Promise<void>((resolve) => (initialized = resolve));
    const fuse = new Fuse(
      mountpoint,
      {
        ...operations,
        init(done) {
          done(0);
          initialized();
        },
      },
      { timeout: false },
    );
    fuse._op_fgetattr = (signal, path, handle) => {
      operations.fgetattr(path, handle, (result, stat) => {
        if (stat === undefined) signal(result);
        else signal(result, packStat(stat));
      });
    };

    const threads: Buffer[] = [];
    const malloc = (size: number): Buffer => {
      const memory = Buffer.alloc(size);
      threads.push(memory);
      onThread(threads.length);
      return memory;
    };

    const before = await openDevices();
    const thread = Buffer.alloc(binding.sizeof_fuse_thread_t);
    binding.fuse_native_mount(
      mountpoint,
      options,
      thread,
      fuse,
      malloc,
      fuse._handlers,
      fuse._getImplementedArray(),
    );
    const device = (await openDevices()).find((fd) => !before.includes(fd));
    await withDeadline(init, INIT_DEADLINE_MS, mountpoint);

    if (device === undefined) {
      throw new MountError(
        `libfuse mounted on ${mountpoint}, but its /dev/fuse is not among our open files, so that the end of the mount could not be seen; unmount it with: umount -l ${mountpoint}`,
      );
    }
    const ended = deviceClosed(device).then(() => {
      // libfuse's wake-up handle would keep the event loop alive for ever.
      binding.fuse_native_unmount(mountpoint, thread);
    });
    return new NativeSession(ended);
  }
}

/**
 * Wait until libfuse has closed its `/dev/fuse`. It does so when the kernel has told it that the
 * session is over (unmounted, or detached and the last file closed, or aborted) and its threads have
 * ended; fuse-native tells nobody. Comparing the table of mounts would be wrong: a detached mount is
 * not in it, but still read by those who have files open.
 */
async function deviceClosed(fd: string): Promise<void> {
  while (await isDevice(fd)) {
    await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MS));
  }
}

/** The descriptors of this process that are FUSE devices. */
async function openDevices(): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const devices = await Promise.all(
    descriptors.map(async (fd) => ((await isDevice(fd)) ? fd : undefined)),
  );
  return devices.filter((fd) => fd !== undefined);
}

async function isDevice(fd: string): Promise<boolean> {
  return readlink(`/proc/self/fd/${fd}`).then(
    (target) => target.startsWith('/dev/fuse'),
    () => false,
  );
}

async function withDeadline(
  promise: Promise<void>,
  deadlineMs: number,
  mountpoint: string,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new MountError(
          `The kernel did not start to talk to the mount on ${mountpoint} within ${deadlineMs} ms; unmount it with: umount -l ${mountpoint}`,
        ),
      );
    }, deadlineMs);
  });
  try {
    await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
