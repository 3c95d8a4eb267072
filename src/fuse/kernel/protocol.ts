/**
 * The FUSE protocol as the Linux kernel speaks it on /dev/fuse: numbers and offsets of the header
 * include/uapi/linux/fuse.h, version 7.45, as far as a read-only file system needs them. All fields
 * are in the byte order of the machine, which is little-endian on x64 and arm64.
 */

/** The newest version that we know; the kernel then speaks its own or ours, whichever is older. */
export const PROTOCOL = { major: 7, minor: 45 } as const;

/** The first minor version with {@link NotifyCode.INC_EPOCH}. */
export const MINOR_WITH_EPOCH = 44;

/** `enum fuse_opcode`. */
export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  SETXATTR: 21,
  REMOVEXATTR: 24,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  COPY_FILE_RANGE: 47,
  TMPFILE: 51,
} as const;

/** The flags of `fuse_init_in` and `fuse_init_out` that we look at or set. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  /** The kernel looks at modification times before it uses what it keeps. */
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  PARALLEL_DIROPS: 1 << 18,
  MAX_PAGES: 1 << 22,
  /** OPENDIR may be answered ENOSYS: then the kernel keeps listings without asking at each open. */
  NO_OPENDIR_SUPPORT: 1 << 24,
  INIT_EXT: 1 << 30,
} as const;

/** The flags of the second word, there if INIT_EXT is set; 32 less than in the header. */
export const InitFlag2 = {
  PASSTHROUGH: 1 << 5,
  HAS_RESEND: 1 << 7,
} as const;

/** `open_flags` of `fuse_open_out`. */
export const OpenFlag = {
  /** Keep the pages that the kernel has of the inode. */
  KEEP_CACHE: 1 << 1,
  /** Let the kernel keep the listing of a directory. */
  CACHE_DIR: 1 << 3,
  /** The kernel reads the file with the backing id by itself; not with KEEP_CACHE. */
  PASSTHROUGH: 1 << 7,
} as const;

/** Codes of the notifications that a daemon sends, `enum fuse_notify_code`. */
export const NotifyCode = {
  INVAL_INODE: 2,
  INVAL_ENTRY: 3,
  INC_EPOCH: 8,
} as const;

/** Sizes of structures, in bytes. */
export const Size = {
  IN_HEADER: 40,
  OUT_HEADER: 16,
  /** The first 16 bytes of `fuse_init_in`; 7.36 and later have 64 in all. */
  INIT_IN: 16,
  INIT_OUT: 64,
  ATTR: 88,
  ATTR_OUT: 104,
  ENTRY_OUT: 128,
  FORGET_IN: 8,
  BATCH_FORGET_IN: 8,
  FORGET_ONE: 16,
  GETATTR_IN: 16,
  OPEN_IN: 8,
  OPEN_OUT: 16,
  READ_IN: 40,
  RELEASE_IN: 24,
  INTERRUPT_IN: 8,
  KSTATFS: 80,
  /** `fuse_dirent` without its name. */
  DIRENT: 24,
  INVAL_INODE_OUT: 24,
  INVAL_ENTRY_OUT: 16,
} as const;

/** Largest `write` that we accept: none ever comes, and the smallest allowed saves memory. */
export const MAX_WRITE = 4096;

/** Pages of one READ or one read-ahead, `FUSE_MAX_MAX_PAGES`: 1 MiB with pages of 4 KiB. */
export const MAX_PAGES = 256;

/** Largest READ that we ask the kernel to send, in bytes (mount option `max_read`). */
export const MAX_READ = 1024 * 1024;

/**
 * What a reader of the device must have room for: the kernel answers EINVAL below 8 KiB
 * (FUSE_MIN_READ_BUFFER) and below both headers and MAX_WRITE.
 */
export const REQUEST_BUFFER_SIZE = 16 * 1024;

/**
 * A number of 64 bits that is too large for a JavaScript number, as two halves. Requests carry such
 * numbers as `unique`: the kernel sets bit 63 of those that it sends again.
 */
export interface Unique {
  readonly low: number;
  readonly high: number;
}
