import { isUtf8 } from 'node:buffer';

import { Opcode, Size, type Unique } from './protocol.js';

/** A request whose bytes are not what the protocol says. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** What every request begins with, `fuse_in_header`. */
export interface RequestHeader {
  readonly opcode: number;
  readonly unique: Unique;
  readonly nodeid: number;
  /** Of the process that waits for the answer; 0 where the kernel asks for itself. */
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** References that the kernel gives back. */
export interface Forget {
  readonly nodeid: number;
  readonly count: number;
}

/** What a request asks for. */
export type Body =
  | {
      readonly kind: 'init';
      readonly major: number;
      readonly minor: number;
      readonly maxReadahead: number;
      readonly flags: number;
      readonly flags2: number;
    }
  /** `name` is undefined if it is not UTF-8; no file of ours is called so. */
  | { readonly kind: 'lookup'; readonly name: string | undefined }
  /** Not answered. */
  | { readonly kind: 'forget'; readonly forgets: readonly Forget[] }
  | { readonly kind: 'getattr' }
  | { readonly kind: 'open' | 'opendir'; readonly flags: number }
  | {
      readonly kind: 'read' | 'readdir' | 'readdirplus';
      readonly handle: number;
      readonly offset: number;
      readonly size: number;
    }
  | { readonly kind: 'release' | 'releasedir'; readonly handle: number }
  | { readonly kind: 'statfs' | 'destroy' | 'readlink' }
  /** Not answered; names another request. */
  | { readonly kind: 'interrupt'; readonly interrupted: Unique }
  /** Would change something. */
  | { readonly kind: 'mutation' }
  /** One that we do not know or do not serve: to be answered ENOSYS. */
  | { readonly kind: 'unsupported' };

export type Request = RequestHeader & { readonly body: Body };

/** Requests to change something; a superblock that is read-only lets none of them through. */
const MUTATIONS: ReadonlySet<number> = new Set([
  Opcode.SETATTR,
  Opcode.SYMLINK,
  Opcode.MKNOD,
  Opcode.MKDIR,
  Opcode.UNLINK,
  Opcode.RMDIR,
  Opcode.RENAME,
  Opcode.LINK,
  Opcode.WRITE,
  Opcode.SETXATTR,
  Opcode.REMOVEXATTR,
  Opcode.CREATE,
  Opcode.FALLOCATE,
  Opcode.RENAME2,
  Opcode.COPY_FILE_RANGE,
  Opcode.TMPFILE,
]);

/**
 * Read the header of a request.
 * @param bytes exactly what one read of the device has given
 * @throws ProtocolError
 */
export function decodeHeader(bytes: Uint8Array): RequestHeader {
  if (bytes.byteLength < Size.IN_HEADER) {
    throw new ProtocolError(`A request of ${bytes.byteLength} bytes is shorter than its header.`);
  }
  const view = viewOf(bytes);
  const length = view.getUint32(0, true);
  if (length !== bytes.byteLength) {
    throw new ProtocolError(
      `A request says that it has ${length} bytes, and has ${bytes.byteLength}.`,
    );
  }
  return {
    opcode: view.getUint32(4, true),
    unique: uniqueAt(view, 8),
    nodeid: wideAt(view, 16),
    uid: view.getUint32(24, true),
    gid: view.getUint32(28, true),
    pid: view.getUint32(32, true),
  };
}

/**
 * Read a whole request.
 * @param bytes exactly what one read of the device has given
 * @throws ProtocolError
 */
export function decodeRequest(bytes: Uint8Array): Request {
  const header = decodeHeader(bytes);
  return { ...header, body: decodeBody(header, bytes) };
}

function decodeBody({ opcode, nodeid }: RequestHeader, bytes: Uint8Array): Body {
  const body = new BodyReader(bytes, opcode);
  switch (opcode) {
    case Opcode.INIT: {
      body.need(Size.INIT_IN);
      return {
        kind: 'init',
        major: body.u32(0),
        minor: body.u32(4),
        maxReadahead: body.u32(8),
        flags: body.u32(12),
        // Older kernels send 16 bytes.
        flags2: body.length >= Size.INIT_IN + 4 ? body.u32(16) : 0,
      };
    }
    case Opcode.LOOKUP:
      return { kind: 'lookup', name: body.name(0) };
    case Opcode.FORGET:
      body.need(Size.FORGET_IN);
      return { kind: 'forget', forgets: [{ nodeid, count: body.u64(0) }] };
    case Opcode.BATCH_FORGET:
      return { kind: 'forget', forgets: body.forgets() };
    case Opcode.GETATTR:
      body.need(Size.GETATTR_IN);
      return { kind: 'getattr' };
    case Opcode.OPEN:
    case Opcode.OPENDIR:
      body.need(Size.OPEN_IN);
      return { kind: opcode === Opcode.OPEN ? 'open' : 'opendir', flags: body.u32(0) };
    case Opcode.READ:
    case Opcode.READDIR:
    case Opcode.READDIRPLUS:
      body.need(Size.READ_IN);
      return {
        kind: READ_KINDS[opcode],
        handle: body.u64(0),
        offset: body.u64(8),
        size: body.u32(16),
      };
    case Opcode.RELEASE:
    case Opcode.RELEASEDIR:
      body.need(Size.RELEASE_IN);
      return { kind: opcode === Opcode.RELEASE ? 'release' : 'releasedir', handle: body.u64(0) };
    case Opcode.INTERRUPT:
      body.need(Size.INTERRUPT_IN);
      return { kind: 'interrupt', interrupted: body.unique(0) };
    case Opcode.STATFS:
      return { kind: 'statfs' };
    case Opcode.DESTROY:
      return { kind: 'destroy' };
    case Opcode.READLINK:
      return { kind: 'readlink' };
    default:
      return { kind: MUTATIONS.has(opcode) ? 'mutation' : 'unsupported' };
  }
}

const READ_KINDS = {
  [Opcode.READ]: 'read',
  [Opcode.READDIR]: 'readdir',
  [Opcode.READDIRPLUS]: 'readdirplus',
} as const;

/** What follows the header; offsets count from there. */
class BodyReader {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #opcode: number;

  constructor(bytes: Uint8Array, opcode: number) {
    this.#bytes = bytes.subarray(Size.IN_HEADER);
    this.#view = viewOf(this.#bytes);
    this.#opcode = opcode;
    this.length = this.#bytes.byteLength;
  }

  /** @throws ProtocolError unless there are so many bytes */
  need(length: number): void {
    if (this.length >= length) return;
    throw new ProtocolError(
      `A request with opcode ${this.#opcode} has ${this.length} bytes after its header; it needs ${length}.`,
    );
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  u64(offset: number): number {
    return wideAt(this.#view, offset);
  }

  unique(offset: number): Unique {
    return uniqueAt(this.#view, offset);
  }

  /** A name that ends in NUL. */
  name(offset: number): string | undefined {
    const end = this.#bytes.indexOf(0, offset);
    if (end <= offset) {
      throw new ProtocolError(`A request with opcode ${this.#opcode} has no name.`);
    }
    const name = this.#bytes.subarray(offset, end);
    if (!isUtf8(name)) return undefined;
    return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('utf8');
  }

  forgets(): Forget[] {
    this.need(Size.BATCH_FORGET_IN);
    const count = this.u32(0);
    this.need(Size.BATCH_FORGET_IN + count * Size.FORGET_ONE);
    return Array.from({ length: count }, (_, index) => {
      const offset = Size.BATCH_FORGET_IN + index * Size.FORGET_ONE;
      return { nodeid: this.u64(offset), count: this.u64(offset + 8) };
    });
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function uniqueAt(view: DataView, offset: number): Unique {
  return { low: view.getUint32(offset, true), high: view.getUint32(offset + 4, true) };
}

/**
 * A number of 64 bits. Beyond 2^53 it loses its last digits; all that we ever tell the kernel are
 * smaller, so that such a number is unknown to us either way.
 */
function wideAt(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}
