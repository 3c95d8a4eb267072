import type { Attributes, FileSystemStats } from '../../tree/file-system.js';
import {
  InitFlag,
  InitFlag2,
  MAX_PAGES,
  MAX_WRITE,
  NotifyCode,
  PROTOCOL,
  Size,
  type Unique,
} from './protocol.js';

/** File type bits of `st_mode`, as in <sys/stat.h>. */
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** `st_blksize`: what programs take as a good size for a read. */
const BLOCK_SIZE = 128 * 1024;

/** Unit of `st_blocks`, whatever the block size. */
const STAT_BLOCK = 512;

/** "For ever", in seconds: ten years. The kernel cuts what its clock cannot hold. */
const LONGEST_TIMEOUT = 10 * 365 * 24 * 3600;

/** Who owns every file of the mount. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits that none of them has. */
  readonly umask?: number;
}

/** Attributes as the kernel is told them. */
export interface ReplyAttributes extends Attributes {
  /** Milliseconds since the epoch; that of the modification if it is not said. */
  readonly ctime?: number;
}

/** An entry as the kernel shall remember it; times in ms. */
export interface EntryReply {
  readonly attributes: ReplyAttributes;
  readonly entryTimeout: number;
  readonly attributeTimeout: number;
}

/** `fuse_out_header` of an answer of `length` bytes in all; `errno` is 0 or positive. */
export function header(unique: Unique, length: number, errno = 0): Buffer {
  const reply = Buffer.alloc(Size.OUT_HEADER);
  writeHeader(reply, unique, length, errno);
  return reply;
}

/** An answer without a body: done, or failed with `errno` (positive). */
export function encodeStatus(unique: Unique, errno = 0): Buffer {
  return header(unique, Size.OUT_HEADER, errno);
}

/** What `fuse_init_in` says of the kernel. */
export interface KernelOffer {
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly flags2: number;
}

/**
 * Whether the kernel can do without OPENDIR, and looks at the modification time of a directory before
 * it shows a listing that it kept.
 */
export function keepsListings({ flags }: Pick<KernelOffer, 'flags'>): boolean {
  const needed = InitFlag.NO_OPENDIR_SUPPORT | InitFlag.AUTO_INVAL_DATA;
  return (flags & needed) === needed;
}

/** `fuse_init_out`; nothing in it that the kernel does not offer. */
export function encodeInit(unique: Unique, kernel: KernelOffer): Buffer {
  const { reply, body } = start(unique, Size.INIT_OUT);
  const wanted =
    InitFlag.ASYNC_READ |
    InitFlag.DO_READDIRPLUS |
    InitFlag.READDIRPLUS_AUTO |
    InitFlag.PARALLEL_DIROPS |
    InitFlag.MAX_PAGES |
    InitFlag.INIT_EXT;
  const keeping = keepsListings(kernel) ? InitFlag.AUTO_INVAL_DATA : 0;
  const flags = ((wanted & kernel.flags) | keeping) >>> 0;
  reply.writeUInt32LE(PROTOCOL.major, body);
  reply.writeUInt32LE(Math.min(kernel.minor, PROTOCOL.minor), body + 4);
  reply.writeUInt32LE(kernel.maxReadahead, body + 8);
  reply.writeUInt32LE(flags, body + 12);
  // max_background and congestion_threshold stay 0: the kernel's own.
  reply.writeUInt32LE(MAX_WRITE, body + 20);
  reply.writeUInt32LE(1, body + 24); // time_gran, in ns
  reply.writeUInt16LE((flags & InitFlag.MAX_PAGES) === 0 ? 0 : MAX_PAGES, body + 28);
  const flags2 = (InitFlag2.HAS_RESEND | InitFlag2.PASSTHROUGH) & kernel.flags2;
  reply.writeUInt32LE(flags2, body + 32);
  // max_stack_depth: backing files are not themselves on a stacked file system, so that ours may be.
  if ((flags2 & InitFlag2.PASSTHROUGH) !== 0) reply.writeUInt32LE(1, body + 36);
  return reply;
}

/** `fuse_attr_out`; `timeout` in ms. */
export function encodeAttributes(
  unique: Unique,
  attributes: ReplyAttributes,
  timeout: number,
  owner: Owner,
): Buffer {
  const { reply, body } = start(unique, Size.ATTR_OUT);
  writeTimeout(reply, timeout, body, body + 8);
  writeAttributes(reply, body + 16, attributes, owner);
  return reply;
}

/** `fuse_entry_out`. */
export function encodeEntry(unique: Unique, entry: EntryReply, owner: Owner): Buffer {
  const { reply, body } = start(unique, Size.ENTRY_OUT);
  writeEntry(reply, body, entry, owner);
  return reply;
}

/**
 * `fuse_open_out`.
 * @param backingId with {@link OpenFlag.PASSTHROUGH}
 */
export function encodeOpen(unique: Unique, handle: number, flags: number, backingId = 0): Buffer {
  const { reply, body } = start(unique, Size.OPEN_OUT);
  writeWide(reply, handle, body);
  reply.writeUInt32LE(flags, body + 8);
  reply.writeUInt32LE(backingId, body + 12);
  return reply;
}

/** `fuse_statfs_out` of a read-only file system: empty, for "100 % full" would alarm monitors. */
export function encodeStatfs(unique: Unique, stats: FileSystemStats): Buffer {
  const { reply, body } = start(unique, Size.KSTATFS);
  // Blocks in all, free, and free for ordinary users.
  for (let count = 0; count < 3; count += 1) writeWide(reply, stats.totalBlocks, body + count * 8);
  writeWide(reply, stats.files, body + 24);
  reply.writeUInt32LE(stats.blockSize, body + 40);
  reply.writeUInt32LE(stats.maxNameLength, body + 44);
  reply.writeUInt32LE(stats.blockSize, body + 48);
  return reply;
}

/** An answer with data, for one `writev`. */
export function encodeData(unique: Unique, data: Uint8Array): [Buffer, Uint8Array] {
  return [header(unique, Size.OUT_HEADER + data.byteLength), data];
}

/** Forget the pages and attributes that the kernel has of an inode. */
export function encodeInvalidateInode(nodeid: number): Buffer {
  const notice = startNotice(NotifyCode.INVAL_INODE, Size.INVAL_INODE_OUT);
  // Offset 0 and length 0: all pages.
  writeWide(notice, nodeid, Size.OUT_HEADER);
  return notice;
}

/** Forget the attributes that the kernel has of an inode, but nothing else. */
export function encodeInvalidateAttributes(nodeid: number): Buffer {
  const notice = encodeInvalidateInode(nodeid);
  // A negative offset: no pages.
  writeWide(notice, -1, Size.OUT_HEADER + 8);
  return notice;
}

/** Forget what the kernel remembers of a name in a directory, be it there or absent. */
export function encodeInvalidateEntry(parent: number, name: string): Buffer {
  const bytes = Buffer.from(name, 'utf8');
  const notice = startNotice(NotifyCode.INVAL_ENTRY, Size.INVAL_ENTRY_OUT + bytes.byteLength + 1);
  writeWide(notice, parent, Size.OUT_HEADER);
  notice.writeUInt32LE(bytes.byteLength, Size.OUT_HEADER + 8);
  bytes.copy(notice, Size.OUT_HEADER + Size.INVAL_ENTRY_OUT);
  return notice;
}

/** Look every name up again before it is used; Linux 6.16 and later. */
export function encodeNewEpoch(): Buffer {
  return startNotice(NotifyCode.INC_EPOCH, 0);
}

/** `d_type` of a directory entry: the file type bits of its mode. */
export function direntType(kind: Attributes['kind']): number {
  return typeBits(kind) >>> 12;
}

/** Write `fuse_entry_out` at `offset`; a negative entry where `entry` is undefined. */
export function writeEntry(target: Buffer, offset: number, entry: EntryReply, owner: Owner): void {
  writeWide(target, entry.attributes.ino, offset);
  writeTimeout(target, entry.entryTimeout, offset + 16, offset + 32);
  writeTimeout(target, entry.attributeTimeout, offset + 24, offset + 36);
  writeAttributes(target, offset + 40, entry.attributes, owner);
}

/**
 * Make a `fuse_entry_out` at `offset` that of an inode that has all in common with the one it was
 * written for, but for its number and its size. It is faster than {@link writeEntry}.
 */
export function writeInodeAndSize(
  target: DataView,
  offset: number,
  { ino, size }: Pick<Attributes, 'ino' | 'size'>,
): void {
  const low = ino >>> 0;
  const high = (ino / 2 ** 32) >>> 0;
  const attributes = offset + 40;
  target.setUint32(offset, low, true);
  target.setUint32(offset + 4, high, true);
  target.setUint32(attributes, low, true);
  target.setUint32(attributes + 4, high, true);
  const blocks = Math.ceil(size / STAT_BLOCK);
  target.setUint32(attributes + 8, size >>> 0, true);
  target.setUint32(attributes + 12, (size / 2 ** 32) >>> 0, true);
  target.setUint32(attributes + 16, blocks >>> 0, true);
  target.setUint32(attributes + 20, (blocks / 2 ** 32) >>> 0, true);
}

/** Write a number of 64 bits, two's complement if negative. */
export function writeWide(target: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 2 ** 32);
  target.writeUInt32LE(value - high * 2 ** 32, offset);
  target.writeUInt32LE(high >>> 0, offset + 4);
}

function writeAttributes(
  target: Buffer,
  offset: number,
  attributes: ReplyAttributes,
  owner: Owner,
): void {
  const { ino, kind, size, permissions, nlink, mtime, ctime = mtime } = attributes;
  writeSize(target, offset, ino, size);
  for (const [index, time] of [mtime, mtime, ctime].entries()) {
    const seconds = Math.floor(time / 1000);
    writeWide(target, seconds, offset + 24 + index * 8);
    target.writeUInt32LE(Math.trunc(time - seconds * 1000) * 1_000_000, offset + 48 + index * 4);
  }
  target.writeUInt32LE(typeBits(kind) | (permissions & ~(owner.umask ?? 0)), offset + 60);
  target.writeUInt32LE(nlink, offset + 64);
  target.writeUInt32LE(owner.uid, offset + 68);
  target.writeUInt32LE(owner.gid, offset + 72);
  target.writeUInt32LE(BLOCK_SIZE, offset + 80);
}

/** The beginning of `fuse_attr`. */
function writeSize(target: Buffer, offset: number, ino: number, size: number): void {
  writeWide(target, ino, offset);
  writeWide(target, size, offset + 8);
  writeWide(target, Math.ceil(size / STAT_BLOCK), offset + 16);
}

function typeBits(kind: Attributes['kind']): number {
  return kind === 'directory' ? S_IFDIR : S_IFREG;
}

function writeTimeout(
  target: Buffer,
  milliseconds: number,
  secondsAt: number,
  nanosecondsAt: number,
): void {
  const capped = Math.min(Math.max(milliseconds, 0), LONGEST_TIMEOUT * 1000);
  const seconds = Math.floor(capped / 1000);
  writeWide(target, seconds, secondsAt);
  target.writeUInt32LE(Math.trunc((capped - seconds * 1000) * 1_000_000), nanosecondsAt);
}

function start(unique: Unique, bodyLength: number): { reply: Buffer; body: number } {
  const reply = Buffer.alloc(Size.OUT_HEADER + bodyLength);
  writeHeader(reply, unique, reply.byteLength, 0);
  return { reply, body: Size.OUT_HEADER };
}

/** A notification is an answer to request 0 with a positive code in place of the error. */
function startNotice(code: number, bodyLength: number): Buffer {
  const notice = Buffer.alloc(Size.OUT_HEADER + bodyLength);
  writeHeader(notice, { low: 0, high: 0 }, notice.byteLength, -code);
  return notice;
}

function writeHeader(target: Buffer, unique: Unique, length: number, errno: number): void {
  target.writeUInt32LE(length, 0);
  target.writeInt32LE(-errno, 4);
  target.writeUInt32LE(unique.low, 8);
  target.writeUInt32LE(unique.high, 12);
}
