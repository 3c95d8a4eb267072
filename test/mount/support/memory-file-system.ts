import { closeSync, openSync } from 'node:fs';

import {
  type Attributes,
  type Change,
  type DirectoryEntry,
  type Entry,
  ErrnoError,
  type FileSystem,
  type FileSystemStats,
  type InodeNumber,
  type ListingInHand,
  type OpenFile,
  type ReleasedFile,
  ROOT_INODE,
} from '../../../src/tree/file-system.js';

/** What {@link MemoryFileSystem.announce} tells of. */
export type Announced = Exclude<Change['kind'], 'backing'>;

/** What a file of a {@link MemoryFileSystem} is and does. */
export interface MemoryFile {
  readonly content: Uint8Array;
  /** Zeros before the content, to make a file large at no cost. */
  readonly zerosBefore?: number;
  /** ms; default 2001-02-03T04:05:06.789Z. */
  readonly mtime?: number;
  /** What `open` says; default true. */
  readonly verified?: boolean;
  /** What `release` says; default the same. */
  readonly verifiedAtRelease?: boolean;
  /** Each read waits this long first, in ms. */
  readonly readDelay?: number;
  /** Each lookup of it waits this long first, in ms. */
  readonly lookupDelay?: number;
  /** How long the name and the attributes may be remembered, in ms; default 0. */
  readonly timeout?: number;
  /** Path of a file, or of something else, that the kernel is told it may read instead. */
  readonly backing?: string;
  readonly failOpen?: 'EIO' | 'EACCES';
  readonly failRead?: 'EIO' | 'bug';
}

const MTIME = Date.UTC(2001, 1, 3, 4, 5, 6, 789);

interface Node {
  readonly ino: InodeNumber;
  /** Of a directory. */
  readonly children?: Map<string, Node>;
  /** Of a file; what is put in place of a file is a new inode, as with versions in the real tree. */
  file?: MemoryFile;
}

/** A small file system in memory that counts what is asked of it and what it was not given back. */
export class MemoryFileSystem implements FileSystem {
  readonly calls: Record<string, number> = {};
  readonly #root: Node = { ino: ROOT_INODE, children: new Map() };
  readonly #byIno = new Map<InodeNumber, Node>([[ROOT_INODE, this.#root]]);
  readonly #references = new Map<InodeNumber, number>();
  readonly #open = new Map<number, Node>();
  readonly #backings = new Map<number, number>();
  // Above 2^32, to see what becomes of the upper half.
  #lastIno = 2 ** 40 + 1000;
  // Above 2^31, which no C int holds.
  #lastHandle = 2 ** 33;
  #changes = 0;
  readonly #listeners = new Set<(change: Change) => void>();

  /** Put a file, and the directories on its way; another one of that name is superseded. */
  put(path: string, file: MemoryFile): void {
    const { directory, name } = this.#parent(path);
    const node = { ino: this.#lastIno++, file };
    this.#byIno.set(node.ino, node);
    directory.set(name, node);
    this.#changes += 1;
  }

  /** Change what a file is and does, under the same inode. */
  alter(path: string, file: MemoryFile): void {
    const { directory, name } = this.#parent(path);
    const node = directory.get(name);
    if (node === undefined) throw new Error(`no ${path}`);
    node.file = file;
  }

  remove(path: string): void {
    const { directory, name } = this.#parent(path);
    directory.delete(name);
    this.#changes += 1;
  }

  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tell of a change, be it true or not; `bytes` poison no handle here. */
  announce(kind: Announced, path: string): void {
    const { directory, name } = this.#parent(path);
    const parent = path.slice(0, -name.length - 1);
    const numberOf = (): InodeNumber => {
      if (parent === '') return ROOT_INODE;
      const { directory: above, name: own } = this.#parent(parent);
      return above.get(own)?.ino ?? 0;
    };
    const change: Change =
      kind === 'bytes'
        ? { kind, ino: directory.get(name)?.ino ?? 0 }
        : kind === 'name'
          ? { kind, directory: numberOf(), name }
          : { kind, directory: numberOf() };
    for (const listener of this.#listeners) listener(change);
  }

  /** Have the file at a path be a plain file too from now on, and tell so. */
  back(path: string, backing: string, size: number): void {
    const { directory, name } = this.#parent(path);
    const node = directory.get(name);
    if (node?.file === undefined) throw new Error(`${path} is no file.`);
    node.file = { ...node.file, backing };
    for (const listener of this.#listeners) listener({ kind: 'backing', ino: node.ino, size });
  }

  /** References not forgotten and handles not released: 0 of both when nobody is at work. */
  owed(): { references: number; handles: number } {
    return {
      references: [...this.#references.values()].reduce((sum, count) => sum + count, 0),
      handles: this.#open.size,
    };
  }

  async lookup(parent: InodeNumber, name: string): Promise<Entry> {
    await this.#called('lookup');
    const { children } = this.#node(parent);
    if (children === undefined) throw new ErrnoError('ENOTDIR', `${parent} is no directory.`);
    const node = children.get(name);
    if (node === undefined) throw new ErrnoError('ENOENT', `There is no ${name}.`);
    const { lookupDelay } = node.file ?? {};
    if (lookupDelay !== undefined) await new Promise((end) => setTimeout(end, lookupDelay));
    return this.#entry(node);
  }

  async getattr(ino: InodeNumber): Promise<Attributes> {
    await this.#called('getattr');
    return attributesOf(this.#node(ino));
  }

  async readdir(ino: InodeNumber): Promise<readonly DirectoryEntry[]> {
    await this.#called('readdir');
    const { children } = this.#node(ino);
    if (children === undefined) throw new ErrnoError('ENOTDIR', `${ino} is no directory.`);
    return [...children].map(([name, node]) => ({ name, attributes: attributesOf(node) }));
  }

  refer(entry: DirectoryEntry): Entry {
    void this.#called('refer');
    return this.#entry(this.#node(entry.attributes.ino));
  }

  /** Only a directory whose files all may be remembered for ever. */
  inHand(ino: InodeNumber): ListingInHand | undefined {
    const children = [...(this.#node(ino).children?.values() ?? [])];
    if (!children.every(({ file }) => file?.timeout === Infinity)) return undefined;
    const timeouts = { entryTimeout: Infinity, attributeTimeout: Infinity };
    return { version: this.#changes, freshFor: 1000, timeouts };
  }

  async open(ino: InodeNumber): Promise<OpenFile> {
    await this.#called('open');
    const node = this.#node(ino);
    if (node.file === undefined) throw new ErrnoError('EISDIR', `${ino} is a directory.`);
    if (node.file.failOpen !== undefined) throw new ErrnoError(node.file.failOpen, 'As told.');
    this.#lastHandle += 1;
    this.#open.set(this.#lastHandle, node);
    const opened = { handle: this.#lastHandle, verified: node.file.verified ?? true };
    if (node.file.backing === undefined) return opened;
    const fd = openSync(node.file.backing, 'r');
    this.#backings.set(opened.handle, fd);
    return { ...opened, backing: { fd } };
  }

  async read(handle: number, offset: number, length: number): Promise<Uint8Array> {
    await this.#called('read');
    const file = this.#open.get(handle)?.file;
    if (file === undefined) throw new ErrnoError('EBADF', `There is no handle ${handle}.`);
    if (file.readDelay !== undefined) await new Promise((end) => setTimeout(end, file.readDelay));
    if (file.failRead === 'bug') throw new TypeError('a bug, as told');
    if (file.failRead !== undefined) throw new ErrnoError(file.failRead, 'As told.');
    return contentOf(file, offset, length);
  }

  release(handle: number): ReleasedFile {
    void this.#called('release');
    const file = this.#open.get(handle)?.file;
    if (file === undefined) throw new ErrnoError('EBADF', `There is no handle ${handle}.`);
    this.#open.delete(handle);
    const backing = this.#backings.get(handle);
    if (backing !== undefined) closeSync(backing);
    this.#backings.delete(handle);
    return { verified: file.verifiedAtRelease ?? file.verified ?? true };
  }

  forget(ino: InodeNumber, count: number): void {
    const left = (this.#references.get(ino) ?? 0) - count;
    if (left < 0) throw new Error(`inode ${ino} was forgotten more often than looked up`);
    this.#references.set(ino, left);
  }

  statfs(): FileSystemStats {
    void this.#called('statfs');
    return { blockSize: 4096, totalBlocks: 2 ** 33, files: 12_345, maxNameLength: 255 };
  }

  #entry(node: Node): Entry {
    this.#references.set(node.ino, (this.#references.get(node.ino) ?? 0) + 1);
    const timeout = node.file?.timeout ?? 0;
    return { attributes: attributesOf(node), entryTimeout: timeout, attributeTimeout: timeout };
  }

  #called(name: string): Promise<void> {
    this.calls[name] = (this.calls[name] ?? 0) + 1;
    return Promise.resolve();
  }

  #node(ino: InodeNumber): Node {
    const node = this.#byIno.get(ino);
    if (node === undefined) throw new ErrnoError('ENOENT', `There is no inode ${ino}.`);
    return node;
  }

  #parent(path: string): { directory: Map<string, Node>; name: string } {
    const names = path.split('/').slice(1);
    const name = names.pop() ?? '';
    let directory = this.#root.children ?? new Map<string, Node>();
    for (const component of names) {
      let next = directory.get(component);
      if (next === undefined) {
        next = { ino: this.#lastIno++, children: new Map() };
        this.#byIno.set(next.ino, next);
        directory.set(component, next);
      }
      if (next.children === undefined) throw new Error(`${component} of ${path} is a file`);
      directory = next.children;
    }
    return { directory, name };
  }
}

function attributesOf(node: Node): Attributes {
  const { ino, file } = node;
  return file === undefined
    ? { ino, kind: 'directory', size: 0, permissions: 0o555, nlink: 2, mtime: MTIME }
    : {
        ino,
        kind: 'file',
        size: (file.zerosBefore ?? 0) + file.content.length,
        permissions: 0o444,
        nlink: 1,
        mtime: file.mtime ?? MTIME,
      };
}

function contentOf({ content, zerosBefore = 0 }: MemoryFile, offset: number, length: number) {
  const zeros = Math.min(length, Math.max(0, zerosBefore - offset));
  const start = Math.max(0, offset - zerosBefore);
  const rest = content.subarray(start, start + length - zeros);
  return zeros === 0 ? rest : Buffer.concat([Buffer.alloc(zeros), rest]);
}
