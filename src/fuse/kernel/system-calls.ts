import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';

import type * as Koffi from 'koffi';

import { MountError } from '../transport.js';

/**
 * The few system calls that Node lacks, through the npm package koffi: an optional dependency, loaded
 * when the first of them is needed. Without it all works but mounting as an ordinary user and
 * handing files to the kernel. Numbers and structures are those of Linux on x64 and arm64, which are
 * the same in glibc and in musl.
 */

/** The functions of the C library that we call; each answers -1 and sets errno when it failed. */
interface Library {
  readonly socketpair: (domain: number, type: number, protocol: number, pair: Int32Array) => number;
  readonly recvmsg: (fd: number, message: object, flags: number) => number;
  readonly ioctl: (fd: number, request: number, argument: Uint8Array) => number;
  readonly leave: (code: number) => void;
  readonly errno: () => number;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** `struct cmsghdr` (16 bytes) and one descriptor, aligned to 8. */
const CONTROL_BYTES = 24;
const CONTROL_LENGTH = 20;

/** FUSE_DEV_IOC_BACKING_OPEN and _CLOSE of <linux/fuse.h>. */
const BACKING_OPEN = 0x4010e501;
const BACKING_CLOSE = 0x4004e502;

let library: Library | undefined;

/**
 * Load koffi.
 * @throws MountError which says what is missing and what to do
 */
export function loadSystemCalls(): void {
  library ??= load();
}

/** An errno error of a system call, as Node itself throws them. */
class SystemCallError extends Error implements NodeJS.ErrnoException {
  override readonly name = 'SystemCallError';
  readonly code: string;

  constructor(
    readonly syscall: string,
    readonly errno: number,
  ) {
    const code = getSystemErrorName(-errno);
    super(`${code}: ${syscall} failed`);
    this.code = code;
  }
}

/**
 * Two sockets that are connected to each other; not inherited by programs that are started.
 * @throws SystemCallError, MountError without koffi
 */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  check('socketpair', ({ socketpair }) => socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
  const [one = -1, other = -1] = pair;
  return [one, other];
}

/**
 * The file descriptor that somebody has sent into a socket; does not wait for one.
 * @returns undefined when something else was sent
 * @throws SystemCallError EAGAIN when nothing was sent, MountError without koffi
 */
export function receiveDescriptor(socket: number): number | undefined {
  const control = Buffer.alloc(CONTROL_BYTES);
  const message = {
    msg_name: null,
    msg_namelen: 0,
    msg_iov: [{ iov_base: Buffer.alloc(1), iov_len: 1 }],
    msg_iovlen: 1,
    msg_control: control,
    msg_controllen: control.byteLength,
    msg_flags: 0,
  };
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
  check('recvmsg', ({ recvmsg }) => recvmsg(socket, message, flags));
  const isDescriptor =
    control.readBigUInt64LE(0) === BigInt(CONTROL_LENGTH) &&
    control.readInt32LE(8) === SOL_SOCKET &&
    control.readInt32LE(12) === SCM_RIGHTS;
  return isDescriptor ? control.readInt32LE(16) : undefined;
}

/**
 * Register an open file that the kernel may read instead of asking us (passthrough).
 * @param deviceFd the session's /dev/fuse
 * @param fileFd open for reading; may be closed afterwards
 * @returns the id to answer an OPEN with; valid until {@link backingClose}
 * @throws SystemCallError: EPERM without CAP_SYS_ADMIN and when FUSE_PASSTHROUGH was not negotiated,
 *   ELOOP when the file's own file system lies on another, EISDIR, EINVAL for what is no regular
 *   file, ENOTTY by kernels before 6.9; MountError without koffi
 */
export function backingOpen(deviceFd: number, fileFd: number): number {
  // struct fuse_backing_map: fd, flags, padding.
  const map = Buffer.alloc(16);
  map.writeInt32LE(fileFd, 0);
  return check('ioctl', ({ ioctl }) => ioctl(deviceFd, BACKING_OPEN, map));
}

/**
 * Take back what {@link backingOpen} registered.
 * @throws SystemCallError: ENOENT for an id that is not registered; MountError without koffi
 */
export function backingClose(deviceFd: number, id: number): void {
  const argument = Buffer.alloc(4);
  argument.writeUInt32LE(id, 0);
  check('ioctl', ({ ioctl }) => ioctl(deviceFd, BACKING_CLOSE, argument));
}

/**
 * End this process now, with all its threads wherever they are: Node itself waits for threads, for
 * ever if one is blocked in the kernel. Without koffi it ends by SIGKILL, whatever `code` is.
 */
export function leaveAtOnce(code: number): never {
  try {
    library ??= load();
    library.leave(code);
  } catch {
    // Not loadable.
  }
  process.kill(process.pid, 'SIGKILL');
  throw new Error('A process outlived its own SIGKILL.');
}

/** Run a call; its result, or its errno as an error. */
function check(name: string, call: (library: Library) => number): number {
  library ??= load();
  const result = call(library);
  if (result < 0) throw new SystemCallError(name, library.errno());
  return result;
}

function load(): Library {
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
  } catch (error) {
    throw new MountError(explainLoadFailure(error), { cause: error });
  }
  // The C library is loaded already, whatever it is called.
  const libc = koffi.load(null);
  const iovec = koffi.struct({ iov_base: 'void *', iov_len: 'size_t' });
  const msghdr = koffi.struct({
    msg_name: 'void *',
    msg_namelen: 'uint32',
    msg_iov: koffi.pointer(iovec),
    msg_iovlen: 'size_t',
    msg_control: 'void *',
    msg_controllen: 'size_t',
    msg_flags: 'int',
  });
  const message = koffi.pointer(msghdr);
  return {
    socketpair: libc.func('socketpair', 'int', ['int', 'int', 'int', 'int *']),
    recvmsg: libc.func('recvmsg', 'long', ['int', message, 'int']),
    ioctl: libc.func('ioctl', 'int', ['int', 'ulong', 'void *']),
    leave: libc.func('_exit', 'void', ['int']),
    errno: () => koffi.errno(),
  };
}

/** Exported for its test. */
export function explainLoadFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'MODULE_NOT_FOUND'
    ? 'The npm package koffi is not installed, which the transport "kernel" needs to mount for an ordinary user; install it with: npm install koffi@3'
    : `The npm package koffi, which the transport "kernel" needs to mount for an ordinary user, could not be loaded: ${message.trim().replace(/\.$/, '')}.`;
}
