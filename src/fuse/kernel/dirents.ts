import type { DirectoryEntry } from '../../tree/file-system.js';
import { Size } from './protocol.js';
import { direntType, type EntryReply, type Owner, writeEntry, writeWide } from './replies.js';

/** Entries in the form of one READDIR or READDIRPLUS answer, as many as fit. */
export class DirentWriter {
  readonly #buffer: Buffer;
  #used = 0;

  /** @param size what the kernel has room for, in bytes */
  constructor(size: number) {
    this.#buffer = Buffer.alloc(size);
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#used);
  }

  /**
   * Append a `fuse_dirent`.
   * @param next position of the entry after this one
   * @returns false if it does not fit: nothing was written
   */
  add(entry: DirectoryEntry, next: number): boolean {
    const name = Buffer.from(entry.name, 'utf8');
    if (!this.#hasRoom(Size.DIRENT, name)) return false;
    this.#append(entry, name, next);
    return true;
  }

  /**
   * Append a `fuse_direntplus`.
   * @param take called only if it fits; what the kernel shall remember of the entry, with a reference
   *   of its inode, or undefined for what it shall not remember (`.` and `..`)
   */
  addPlus(
    entry: DirectoryEntry,
    next: number,
    take: () => EntryReply | undefined,
    owner: Owner,
  ): boolean {
    const name = Buffer.from(entry.name, 'utf8');
    if (!this.#hasRoom(Size.ENTRY_OUT + Size.DIRENT, name)) return false;
    const reply = take();
    if (reply !== undefined) writeEntry(this.#buffer, this.#used, reply, owner);
    this.#used += Size.ENTRY_OUT;
    this.#append(entry, name, next);
    return true;
  }

  #hasRoom(fixed: number, name: Buffer): boolean {
    return this.#used + padded(fixed + name.byteLength) <= this.#buffer.byteLength;
  }

  #append({ attributes }: DirectoryEntry, name: Buffer, next: number): void {
    const at = this.#used;
    writeWide(this.#buffer, attributes.ino, at);
    writeWide(this.#buffer, next, at + 8);
    this.#buffer.writeUInt32LE(name.byteLength, at + 16);
    this.#buffer.writeUInt32LE(direntType(attributes.kind), at + 20);
    name.copy(this.#buffer, at + Size.DIRENT);
    this.#used += padded(Size.DIRENT + name.byteLength);
  }
}

/** Entries are aligned to 8 bytes (FUSE_DIRENT_ALIGN). */
function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}
