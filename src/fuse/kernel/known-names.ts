import type { Attributes, DirectoryEntry, Entry } from '../../tree/file-system.js';
import { Size } from './protocol.js';
import { type Owner, writeEntry, writeInodeAndSize } from './replies.js';

/**
 * The names of a directory with the answers to their lookups, in memory that all threads share. It
 * is written once, before it is shared, but for `validUntil`.
 */
export interface KnownNames {
  /** No other has it, in one session. */
  readonly id: number;
  /** The directory's inode number. */
  readonly parent: number;
  /** One number: until when the answers may be given, in ms since the epoch, see `sharedNow`. */
  readonly validUntil: Float64Array<SharedArrayBuffer>;
  /** A hash table with open addressing: 0, or an entry's index and 1. */
  readonly slots: Int32Array<SharedArrayBuffer>;
  /** Where in `names` the name of each entry begins, and 1 more than where the last one ends. */
  readonly offsets: Uint32Array<SharedArrayBuffer>;
  /** UTF-8, with a "/" between two. */
  readonly names: Uint8Array<SharedArrayBuffer>;
  /** A `fuse_entry_out` for each entry. */
  readonly replies: Uint8Array<SharedArrayBuffer>;
}

/** The time that all threads agree on, in ms since the epoch; unlike Date, it is never set. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now();
}

/** Write the answers to all lookups in a directory. */
export function encodeNames(
  id: number,
  parent: number,
  entries: readonly DirectoryEntry[],
  timeouts: Pick<Entry, 'entryTimeout' | 'attributeTimeout'>,
  owner: Owner,
): KnownNames {
  // Whoever looks a name up meanwhile waits for all of this: as few calls for each name as can be.
  const joined = entries.map(({ name }) => name).join('/');
  const names = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(joined)));
  bufferOf(names).write(joined);
  // At most half full.
  const slots = new Int32Array(new SharedArrayBuffer(4 * powerOfTwo(2 * entries.length + 1)));
  const offsets = new Uint32Array(new SharedArrayBuffer(4 * (entries.length + 1)));
  const isAscii = names.byteLength === joined.length;
  entries.forEach(({ name }, index) => {
    const start = offsets[index] ?? 0;
    const end = start + (isAscii ? name.length : Buffer.byteLength(name));
    offsets[index + 1] = end + 1;
    let slot = hash(names, start, end) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = index + 1;
  });
  const replies = encodeReplies(entries, timeouts, owner);
  const validUntil = new Float64Array(new SharedArrayBuffer(8));
  return { id, parent, validUntil, slots, offsets, names, replies };
}

function encodeReplies(
  entries: readonly DirectoryEntry[],
  timeouts: Pick<Entry, 'entryTimeout' | 'attributeTimeout'>,
  owner: Owner,
): Uint8Array<SharedArrayBuffer> {
  const replies = new Uint8Array(new SharedArrayBuffer(Size.ENTRY_OUT * entries.length));
  const target = bufferOf(replies);
  const first = entries[0]?.attributes;
  if (first === undefined) return replies;
  writeEntry(target, 0, { attributes: first, ...timeouts }, owner);
  // Nearly all are like the first: twice as many with each copy.
  for (let done = Size.ENTRY_OUT; done < target.byteLength; done *= 2) {
    target.copyWithin(done, 0, done);
  }
  const view = new DataView(replies.buffer);
  entries.forEach(({ attributes }, index) => {
    const at = index * Size.ENTRY_OUT;
    if (isLike(first, attributes)) writeInodeAndSize(view, at, attributes);
    else writeEntry(target, at, { attributes, ...timeouts }, owner);
  });
  return replies;
}

/** Looks names up in {@link KnownNames}, without making garbage. */
export class NameTable {
  readonly #known: KnownNames;
  readonly #names: Buffer;
  readonly #replies: Buffer;

  constructor(known: KnownNames) {
    this.#known = known;
    this.#names = bufferOf(known.names);
    this.#replies = bufferOf(known.replies);
  }

  get id(): number {
    return this.#known.id;
  }

  get isValid(): boolean {
    return sharedNow() < (this.#known.validUntil[0] ?? 0);
  }

  /** The index of the entry whose name is `bytes` from `start` to `end`, or -1. */
  find(bytes: Buffer, start: number, end: number): number {
    const { slots, offsets } = this.#known;
    const mask = slots.length - 1;
    for (let slot = hash(bytes, start, end) & mask; ; slot = (slot + 1) & mask) {
      const index = (slots[slot] ?? 0) - 1;
      if (index < 0) return -1;
      const from = offsets[index] ?? 0;
      const to = (offsets[index + 1] ?? 0) - 1;
      if (to - from === end - start && this.#names.compare(bytes, start, end, from, to) === 0) {
        return index;
      }
    }
  }

  /** Copy the `fuse_entry_out` of an entry. */
  copyReply(index: number, target: Buffer, offset: number): void {
    const from = index * Size.ENTRY_OUT;
    this.#replies.copy(target, offset, from, from + Size.ENTRY_OUT);
  }
}

/** Whether two inodes differ in nothing but number and size. */
function isLike(one: Attributes, other: Attributes): boolean {
  return (
    one.kind === other.kind &&
    one.permissions === other.permissions &&
    one.nlink === other.nlink &&
    one.mtime === other.mtime
  );
}

function bufferOf(bytes: Uint8Array<SharedArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}

/** FNV-1a, 32 bits, with the upper bits mixed in. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let index = start; index < end; index += 1) {
    value = Math.imul(value ^ (bytes[index] ?? 0), 0x01000193);
  }
  return (value ^ (value >>> 15)) >>> 0;
}
