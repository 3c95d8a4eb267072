import { constants as fsConstants } from 'node:fs';
import { constants as osConstants } from 'node:os';

import type { Log } from '../../observe/log.js';
import { type Attributes, ErrnoError, type FileSystem } from '../../tree/file-system.js';
import type { FuseOperations } from './fuse-native.js';
import type { OpenFiles } from './open-files.js';
import { type Owner, toStat, toStatFs, withTrueMtime } from './stat.js';
import { withPath } from './walk.js';

const { O_WRONLY, O_RDWR } = fsConstants;

/**
 * libfuse's operations over a {@link FileSystem}. Each is answered exactly once, with 0 or a
 * negated errno (`read`: the count of bytes); none throws.
 *
 * What is missing here is answered ENOSYS by libfuse, as it should be: the kernel then stops asking
 * (access, xattr, flush, fsync...) or does the work itself (locks, poll). The superblock is
 * read-only, so no request to change anything gets this far.
 */
export function createOperations(
  fileSystem: FileSystem,
  openFiles: OpenFiles,
  owner: Owner,
  { log, count }: { readonly log: Log; readonly count: (operation: string) => void },
): FuseOperations {
  /** The answer for an error; one that is no ErrnoError is our own fault. */
  const errnoOf = (error: unknown, operation: string, path: string): number => {
    if (error instanceof ErrnoError) {
      log.debug({ operation, path, code: error.code }, error.message);
      return -osConstants.errno[error.code];
    }
    log.error(
      { operation, path, error },
      `The request ${operation} of ${path} failed with an unexpected error and was answered EIO; this is a bug in layoutfs.`,
    );
    return -osConstants.errno.EIO;
  };

  const answer = <T>(
    operation: string,
    path: string,
    work: () => T | Promise<T>,
    succeed: (value: T) => void,
    fail: (errno: number) => void,
  ): void => {
    count(operation);
    // The catch covers `succeed` too: a request without an answer would hang its reader for ever.
    Promise.resolve()
      .then(work)
      .then(succeed)
      .catch((error: unknown) => fail(errnoOf(error, operation, path)));
  };

  const attributesOf = (path: string): Promise<Attributes> =>
    openFiles.attributes(path) ?? withPath(fileSystem, path, (attributes) => attributes);

  const statOf = (attributes: Attributes) => toStat(withTrueMtime(attributes), owner);

  return {
    getattr(path, done) {
      answer(
        'getattr',
        path,
        () => attributesOf(path),
        (found) => done(0, statOf(found)),
        done,
      );
    },

    fgetattr(path, handle, done) {
      const work = () => openFiles.handleAttributes(handle);
      answer('fgetattr', path, work, (found) => done(0, toStat(found, owner)), done);
    },

    readdir(path, done) {
      answer(
        'readdir',
        path,
        () => withPath(fileSystem, path, (directory) => listing(fileSystem, directory)),
        ({ names, attributes }) => done(0, names, attributes.map(statOf)),
        done,
      );
    },

    open(path, flags, done) {
      answer(
        'open',
        path,
        () => {
          if ((flags & (O_WRONLY | O_RDWR)) !== 0) {
            throw new ErrnoError('EROFS', `${path} cannot be written: the mount is read-only.`);
          }
          return openFiles.open(path);
        },
        (handle) => done(0, handle),
        done,
      );
    },

    read(path, handle, buffer, length, offset, done) {
      answer(
        'read',
        path,
        () => openFiles.read(handle, offset, length),
        (bytes) => {
          // The buffer lies over memory of libfuse, valid until the answer and not a moment longer.
          buffer.set(bytes);
          done(bytes.length);
        },
        done,
      );
    },

    release(path, handle, done) {
      answer(
        'release',
        path,
        () => openFiles.release(handle),
        () => done(0),
        done,
      );
    },

    statfs(path, done) {
      answer(
        'statfs',
        path,
        () => fileSystem.statfs(),
        (stats) => done(0, toStatFs(stats)),
        done,
      );
    },
  };
}

/** A directory's names with `.` and `..` first, which libfuse expects from us. */
async function listing(
  fileSystem: FileSystem,
  directory: Attributes,
): Promise<{ names: string[]; attributes: Attributes[] }> {
  const entries = await fileSystem.readdir(directory.ino);
  return {
    names: ['.', '..', ...entries.map((entry) => entry.name)],
    attributes: [directory, directory, ...entries.map((entry) => entry.attributes)],
  };
}
