import type { Blobs } from '../blobs/blobs.js';
import { isBlobError } from '../blobs/errors.js';
import type { Catalog } from '../catalog/catalog.js';
import { join } from '../catalog/directories.js';
import type { Log } from '../observe/log.js';
import { isValidAlgorithm, parseDigest } from '../oci/digest.js';
import { INDEX_FILE, OCI_LAYOUT_FILE, BLOBS_DIRECTORY } from '../oci/layout.js';
import type { Registry } from '../registry/registry.js';
import { attributesOf } from './attributes.js';
import { Changes } from './changes.js';
import { toErrno } from './errno.js';
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
} from './file-system.js';
import { bytesHandle, type FileHandle, Handles } from './handles.js';
import { InodeTable } from './inode-table.js';
import { type Node, RESTORE_MARKER, RESTORE_MARKER_BYTES } from './nodes.js';

export interface TreeOptions {
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly registry: Registry;
  /** 32 secret bytes that inode numbers are derived from. */
  readonly inodeKey: Buffer;
  /** How long names and attributes that may change are remembered, in ms. */
  readonly refreshMs: number;
  /** Show a blob that repositories share as a file with several names. */
  readonly hardLinks?: boolean;
  readonly log: Log;
}

/**
 * `st_nlink` of a blob that may have a name in several repositories. How many there are only a walk
 * over the whole registry could tell, and each push would change it; programs that look for hard
 * links only ask whether there may be more than one, and compare inode numbers.
 */
const SEVERAL = 2;

/** Longest name, in bytes, as on a disk; the kernel leaves it to file systems to refuse longer ones. */
const MAX_NAME = 255;

/** What the tree holds for its readers. */
export interface TreeStatus {
  readonly inodes: number;
  readonly openFiles: number;
}

/** How much of the next layer is fetched before it is opened: this share of the one before it. */
const NEXT_SHARE = 1 / 8;

/** A blob never changes under its name. */
const BLOB_TIMEOUTS = { entryTimeout: Infinity, attributeTimeout: Infinity } as const;

/**
 * A kernel counts a timeout from when it gets round to it, and in steps of up to 10 ms: a name must
 * not outlive what is known of it. In ms.
 */
const TIMEOUT_MARGIN = 50;

/** An entry that remembers what it stands for, so that it can be referred to without a lookup. */
class ListedNode implements DirectoryEntry {
  constructor(
    readonly name: string,
    readonly node: Node,
    readonly ino: InodeNumber,
    readonly nlink: number,
  ) {}

  /** Made when they are asked for: a large listing is kept for long, and they would double it. */
  get attributes(): Attributes {
    return attributesOf(this.node, this.ino, this.nlink);
  }
}

/**
 * The mount as a value: every repository of a registry as its own OCI image layout. Knows neither
 * FUSE nor stores.
 */
export class Tree implements FileSystem {
  readonly #catalog: Catalog;
  readonly #blobs: Blobs;
  readonly #registry: Registry;
  readonly #refreshMs: number;
  readonly #hardLinks: boolean;
  readonly #log: Log;
  readonly #inodes: InodeTable;
  readonly #handles = new Handles();
  readonly #changes: Changes;

  constructor(options: TreeOptions) {
    this.#catalog = options.catalog;
    this.#blobs = options.blobs;
    this.#registry = options.registry;
    this.#refreshMs = options.refreshMs;
    this.#hardLinks = options.hardLinks ?? false;
    this.#log = options.log;
    this.#inodes = new InodeTable(options.inodeKey);
    this.#changes = new Changes(this.#inodes, (repository) => options.registry.scope(repository));
    this.#catalog.watch((change) => this.#changes.found(change));
    this.#blobs.watch({
      wrong: (name) => this.#changes.wrong(name),
      kept: (blob) => this.#changes.kept(blob),
    });
  }

  lookup(parent: InodeNumber, name: string): Promise<Entry> {
    return this.#guard(async () => {
      if (Buffer.byteLength(name) > MAX_NAME) {
        throw new ErrnoError('ENAMETOOLONG', `A name has more than ${MAX_NAME} bytes.`);
      }
      const node = await this.#child(this.#node(parent), name);
      if (!node) throw new ErrnoError('ENOENT', `There is no ${name}.`);
      const attributes = this.#attributes(node, this.#inodes.refer(node));
      return { attributes, ...this.#timeouts(node) };
    });
  }

  getattr(ino: InodeNumber): Promise<Attributes> {
    return this.#guard(() => Promise.resolve(this.#attributes(this.#node(ino), ino)));
  }

  readdir(ino: InodeNumber): Promise<readonly DirectoryEntry[]> {
    return this.#guard(async () => {
      const children = await this.#children(this.#node(ino));
      return children.map(
        ([name, node]) =>
          new ListedNode(name, node, this.#inodes.numberOf(node), this.#linksOf(node)),
      );
    });
  }

  refer(entry: DirectoryEntry): Entry {
    if (!(entry instanceof ListedNode)) {
      throw new TypeError(`The entry ${entry.name} was not listed by this tree.`);
    }
    // Numbers may collide with one given since the listing; the table decides.
    const ino = this.#inodes.refer(entry.node, entry.ino);
    const attributes = this.#attributes(entry.node, ino);
    return { attributes, ...this.#timeouts(entry.node) };
  }

  inHand(ino: InodeNumber): ListingInHand | undefined {
    const node = this.#inodes.get(ino);
    if (node?.kind !== 'algorithm') return undefined;
    const closure = this.#catalog.closureInHand(node.repository);
    return closure && { ...closure, timeouts: BLOB_TIMEOUTS };
  }

  open(ino: InodeNumber): Promise<OpenFile> {
    return this.#guard(async () => {
      const file = await this.#openNode(this.#node(ino));
      const { verified, backing } = file;
      return { handle: this.#handles.add(file), verified, ...(backing && { backing }) };
    });
  }

  read(handle: number, offset: number, length: number): Promise<Uint8Array> {
    return this.#guard(async () => {
      try {
        return await this.#handles.get(handle).read(offset, length);
      } catch (cause) {
        // Lost while it is open: no program expects a read to say that there is no such file.
        if (!isBlobError(cause, 'absent')) throw cause;
        throw new ErrnoError('EIO', cause.message, { cause });
      }
    });
  }

  release(handle: number): ReleasedFile {
    return { verified: this.#handles.remove(handle)?.close() ?? false };
  }

  forget(ino: InodeNumber, count: number): void {
    this.#inodes.forget(ino, count);
  }

  /** A store has no size of its own: numbers that no tool trips over and no monitor is alarmed by. */
  statfs(): FileSystemStats {
    return {
      blockSize: 4096,
      totalBlocks: 2 ** 28,
      files: Math.max(1, this.#inodes.size),
      maxNameLength: MAX_NAME,
    };
  }

  watch(listener: (change: Change) => void): () => void {
    return this.#changes.watch(listener);
  }

  status(): TreeStatus {
    return { inodes: this.#inodes.size, openFiles: this.#handles.size };
  }

  #attributes(node: Node, ino: InodeNumber): Attributes {
    return attributesOf(node, ino, this.#linksOf(node));
  }

  #linksOf(node: Node): number {
    const isShared =
      this.#hardLinks && node.kind === 'blob' && this.#registry.sharesBlobs(node.repository);
    return isShared ? SEVERAL : 1;
  }

  #node(ino: InodeNumber): Node {
    const node = this.#inodes.get(ino);
    if (!node) throw new ErrnoError('ENOENT', `Inode ${ino} is not known any more.`);
    return node;
  }

  async #child(parent: Node, name: string): Promise<Node | undefined> {
    switch (parent.kind) {
      case 'directory':
        return this.#childOfDirectory(parent.path, name);
      case 'blobs':
        return this.#childOfBlobs(parent.repository, name);
      case 'algorithm':
        return this.#childOfAlgorithm(parent.repository, parent.algorithm, name);
      case 'blob':
      case 'index':
      case 'oci-layout':
      case 'restore-marker':
        throw new ErrnoError('ENOTDIR', `${name} is looked for in a file.`);
    }
  }

  async #childOfDirectory(path: string, name: string): Promise<Node | undefined> {
    if (path === '' && name === RESTORE_MARKER) return { kind: 'restore-marker' };
    const isDocument = name === INDEX_FILE || name === OCI_LAYOUT_FILE || name === BLOBS_DIRECTORY;
    // The documents of a layout win over nested repositories of the same name.
    if (isDocument && (await this.#catalog.isRepository(path))) return this.#document(path, name);
    if (!(await this.#catalog.hasChild(path, name))) return undefined;
    return { kind: 'directory', path: join(path, name) };
  }

  async #document(repository: string, name: string): Promise<Node | undefined> {
    if (name === BLOBS_DIRECTORY) return { kind: 'blobs', repository };
    if (name === INDEX_FILE) {
      const snapshot = await this.#catalog.index(repository);
      return snapshot && { kind: 'index', snapshot };
    }
    const info = await this.#catalog.ociLayoutInfo(repository);
    return info && { kind: 'oci-layout', repository, ...info };
  }

  async #childOfBlobs(repository: string, algorithm: string): Promise<Node | undefined> {
    if (!isValidAlgorithm(algorithm)) return undefined;
    const exists =
      algorithm === 'sha256' || (await this.#catalog.algorithms(repository)).includes(algorithm);
    return exists ? { kind: 'algorithm', repository, algorithm } : undefined;
  }

  async #childOfAlgorithm(
    repository: string,
    algorithm: string,
    encoded: string,
  ): Promise<Node | undefined> {
    const digest = parseDigest(`${algorithm}:${encoded}`);
    const blob = digest && (await this.#catalog.find(repository, digest));
    return blob && { kind: 'blob', repository, scope: this.#registry.scope(repository), blob };
  }

  /** In bytewise order. */
  async #children(node: Node): Promise<[string, Node][]> {
    switch (node.kind) {
      case 'directory': {
        const children = await this.#childrenOfDirectory(node.path);
        return children.sort(([a], [b]) => (a < b ? -1 : 1));
      }
      case 'blobs': {
        const algorithms = await this.#catalog.algorithms(node.repository);
        return algorithms
          .sort()
          .map((algorithm) => [
            algorithm,
            { kind: 'algorithm', repository: node.repository, algorithm },
          ]);
      }
      case 'algorithm':
        return this.#childrenOfAlgorithm(node.repository, node.algorithm);
      case 'blob':
      case 'index':
      case 'oci-layout':
      case 'restore-marker':
        throw new ErrnoError('ENOTDIR', 'A file is not a directory.');
    }
  }

  async #childrenOfDirectory(path: string): Promise<[string, Node][]> {
    const { repository, children } = await this.#catalog.directory(path);
    const entries: [string, Node][] = [];
    if (repository) {
      for (const name of [BLOBS_DIRECTORY, INDEX_FILE, OCI_LAYOUT_FILE]) {
        const node = await this.#document(path, name);
        if (node) entries.push([name, node]);
      }
    }
    const taken = new Set(entries.map(([name]) => name));
    for (const name of children) {
      if (!taken.has(name)) entries.push([name, { kind: 'directory', path: join(path, name) }]);
    }
    return entries;
  }

  async #childrenOfAlgorithm(repository: string, algorithm: string): Promise<[string, Node][]> {
    const scope = this.#registry.scope(repository);
    const prefix = `${algorithm}:`;
    const all = await this.#catalog.list(repository);
    const blobs = all.filter(({ digest }) => digest.startsWith(prefix));
    // The digests have the order of the names; strings cut from others take far longer to compare.
    blobs.sort((a, b) => (a.digest < b.digest ? -1 : 1));
    return blobs.map((blob) => [
      blob.digest.slice(prefix.length),
      { kind: 'blob', repository, scope, blob },
    ]);
  }

  async #openNode(node: Node): Promise<FileHandle> {
    switch (node.kind) {
      case 'blob':
        return this.#openBlob(node);
      case 'index':
        if (node.snapshot.bytes.byteLength === 0) {
          const { repository } = node.snapshot;
          throw new ErrnoError('EIO', `index.json of ${repository || '/'} is empty in the store.`);
        }
        return bytesHandle(node.snapshot.bytes, this.#catalog.pin(node.snapshot));
      case 'oci-layout': {
        const document = await this.#catalog.ociLayout(node.repository);
        if (!document) throw new ErrnoError('ENOENT', 'The oci-layout object is gone.');
        return bytesHandle(document.bytes);
      }
      case 'restore-marker':
        return bytesHandle(RESTORE_MARKER_BYTES);
      case 'directory':
      case 'blobs':
      case 'algorithm':
        throw new ErrnoError('EISDIR', 'A directory cannot be opened as a file.');
    }
  }

  async #openBlob(node: Node & { kind: 'blob' }): Promise<FileHandle> {
    const { digest, size, foreign } = node.blob;
    const endInSight = () => this.#expectNext(node);
    const name = { repository: node.repository, digest, size };
    const open = await this.#blobs.open(name, { foreign, endInSight });
    return {
      verified: open.wasVerified,
      ...(open.backing && { backing: open.backing }),
      read: (offset, length) => open.read(offset, length),
      close: () => open.close(),
    };
  }

  /** Images are read layer by layer: the next one's beginning shall be there when it is opened. */
  #expectNext({ repository, blob }: Node & { kind: 'blob' }): void {
    const next = this.#catalog.following(repository, blob.digest);
    if (next) this.#blobs.expect({ repository, ...next }, Math.ceil(blob.size * NEXT_SHARE));
  }

  #timeouts(node: Node): Pick<Entry, 'entryTimeout' | 'attributeTimeout'> {
    switch (node.kind) {
      case 'blob':
        return BLOB_TIMEOUTS;
      // The name leads to another inode with the next version; the version itself never changes.
      case 'index': {
        const entryTimeout = this.#catalog.freshFor(node.snapshot) - TIMEOUT_MARGIN;
        return { entryTimeout: Math.max(0, entryTimeout), attributeTimeout: Infinity };
      }
      case 'directory':
      case 'blobs':
      case 'algorithm':
      case 'oci-layout':
      case 'restore-marker':
        return { entryTimeout: this.#refreshMs, attributeTimeout: this.#refreshMs };
    }
  }

  /** Turn every failure into an errno; what is no failure of a store is a bug and is logged. */
  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const error = toErrno(cause);
      if (error instanceof ErrnoError) {
        if (error.code !== 'ENOENT' && error.code !== 'ENAMETOOLONG') {
          this.#log.warn({ errno: error.code, reason: error.message }, 'A request fails.');
        }
        throw error;
      }
      this.#log.error({ err: cause }, 'An unexpected error; please report it.');
      throw new ErrnoError('EIO', 'An unexpected error.', { cause });
    }
  }
}
