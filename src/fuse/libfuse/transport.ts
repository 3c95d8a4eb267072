import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

import type { FileSystem } from '../../tree/file-system.js';
import { readMountTable, topMount } from '../mount-table.js';
import { prepareMountpoint } from '../mountpoint.js';
import { OwnMount } from '../own-mount.js';
import {
  type MountedFileSystem,
  MountError,
  type Transport,
  type TransportOptions,
} from '../transport.js';
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

/** The transport over libfuse 2.9, by the npm package fuse-native. */
export class LibfuseTransport implements Transport {
  readonly name = 'libfuse';

  /** @throws MountError with what to do */
  async mount(fileSystem: FileSystem, options: TransportOptions): Promise<MountedFileSystem> {
    const library = loadFuseNative();
    const mountpoint = await prepareMountpoint(options.mountpoint);
    const openFiles = new OpenFiles(fileSystem);
    const requests: Record<string, number> = {};
    const operations = createOperations(fileSystem, openFiles, options, {
      log: options.log,
      count: (kind) => (requests[kind] = (requests[kind] ?? 0) + 1),
    });
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
    const ended = session.ended.then(() => openFiles.releaseAll());
    return new OwnMount(mountpoint, mount, ended, {
      refresh: () => undefined,
      announced: () => Promise.resolve(true),
      requests: () => ({ ...requests }),
    });
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
