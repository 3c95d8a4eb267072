import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

import type { FileSystem } from '../../tree/file-system.js';
import { type Mount, readMountTable, topMount } from '../mount-table.js';
import { FS_TYPE, prepareMountpoint } from '../mountpoint.js';
import {
  type MountedFileSystem,
  MountError,
  type Transport,
  type TransportOptions,
} from '../transport.js';
import { unmount } from '../unmount.js';
import { loadFuseNative } from './fuse-native.js';
import { NativeSession } from './native-session.js';
import { OpenFiles } from './open-files.js';
import { createOperations } from './operations.js';
import { optionString } from './options.js';
import { probeLibfuse } from './probe.js';

/**
 * A word of warning each time libfuse has made so many threads: each costs about 1.6 KB for good, and
 * about 25 ns at every later request (measured).
 */
const THREADS_WARNING_STEP = 2000;

/** How long the session may take to end after its mount is gone. */
const END_DEADLINE_MS = 5000;

/** The transport over libfuse 2.9, by the npm package fuse-native. */
export class LibfuseTransport implements Transport {
  readonly name = 'libfuse';

  /** @throws MountError with what to do */
  async mount(fileSystem: FileSystem, options: TransportOptions): Promise<MountedFileSystem> {
    const library = loadFuseNative();
    const mountpoint = await prepareMountpoint(options.mountpoint);
    const openFiles = new OpenFiles(fileSystem);
    const operations = createOperations(fileSystem, openFiles, options, options.log);
    const onThread = (count: number): void => {
      if (count % THREADS_WARNING_STEP !== 0) return;
      options.log.warn(
        { mountpoint, threads: count },
        `libfuse has made ${count} threads, each of which slows this mount down a little for good; that comes of more than ten simultaneous requests. Mount again at a quiet time.`,
      );
    };
    let session: NativeSession;
    try {
      const args = optionString(options);
      session = await NativeSession.start(library, mountpoint, args, operations, onThread);
    } catch (error) {
      if (error instanceof MountError) throw error;
      throw await explainRefusal(mountpoint, options, error);
    }
    const mount = topMount(await readMountTable(), mountpoint);
    return new LibfuseMount(mountpoint, mount, session, openFiles);
  }
}

class LibfuseMount implements MountedFileSystem {
  readonly ended: Promise<void>;
  readonly #mountpoint: string;
  readonly #mount: Mount | undefined;
  #hasEnded = false;

  constructor(
    mountpoint: string,
    mount: Mount | undefined,
    session: NativeSession,
    openFiles: OpenFiles,
  ) {
    this.#mountpoint = mountpoint;
    this.#mount = mount?.fsType === FS_TYPE ? mount : undefined;
    this.ended = session.ended.then(() => {
      this.#hasEnded = true;
      openFiles.releaseAll();
    });
  }

  async unmount(): Promise<void> {
    // Somebody may have unmounted ours, or mounted something over it. The kernel gives the number
    // of a mount that is gone to another, so number and place must both be ours.
    const mounts = (await readMountTable()).filter(
      (mount) => mount.mountpoint === this.#mountpoint,
    );
    if (this.#hasEnded || !mounts.some((mount) => mount.id === this.#mount?.id)) {
      return this.#settle();
    }
    if (topMount(mounts, this.#mountpoint)?.id !== this.#mount?.id) {
      throw new MountError(
        `Another file system is mounted over ${this.#mountpoint}; unmount that first with: umount ${this.#mountpoint}`,
      );
    }
    const outcome = await unmount(this.#mountpoint);
    if (outcome === 'unmounted') await this.#settle();
  }

  /** Wait a moment for the end, which follows once the requests in flight are answered. */
  async #settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, END_DEADLINE_MS)));
    await Promise.race([this.ended, deadline]);
    clearTimeout(timer);
  }
}

/**
 * Find out why libfuse refused, as far as we can. It tells us nothing: for root it writes the reason
 * to standard error; for others `fusermount` does, but Node lets no program that it does not start
 * itself inherit that.
 */
async function explainRefusal(
  mountpoint: string,
  options: TransportOptions,
  cause: unknown,
): Promise<MountError> {
  const { problems } = await probeLibfuse({ allowOther: options.allowOther });
  if (!(await isWritable(mountpoint))) {
    problems.push('You may not write to the mountpoint: choose a directory of your own.');
  }
  if (problems.length === 0) {
    problems.push(
      process.getuid?.() === 0
        ? 'Its reason is on standard error.'
        : 'The program fusermount refused; common reasons are a mountpoint that belongs to another user, and "mount_max" in /etc/fuse.conf.',
    );
  }
  return new MountError(`libfuse could not mount on ${mountpoint}. ${problems.join(' ')}`, {
    cause,
  });
}

async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
