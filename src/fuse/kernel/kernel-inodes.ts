import {
  type Entry,
  type FileSystem,
  type InodeNumber,
  ROOT_INODE,
} from '../../tree/file-system.js';

/** What we keep of an inode while the kernel knows it. */
interface KnownInode {
  /** References that the kernel has not given back (`nlookup` there). */
  count: number;
  /** In ms, as the kernel was told with the entry. */
  readonly attributeTimeout: number;
  /** Of a directory: the one it was last found in. */
  readonly parent: InodeNumber;
  /** Of a file whose name may come to lead elsewhere before its time is over: that name. */
  readonly name: string | undefined;
  /** A file of it was opened since the kernel knows it, so that there may be pages. */
  opened: boolean;
}

/**
 * The inodes that the kernel knows, with the references it holds: as many as it was told entries.
 * All of them are references of the tree.
 */
export class KernelInodes {
  readonly #fileSystem: FileSystem;
  readonly #known = new Map<InodeNumber, KnownInode>();
  readonly #named = new Set<InodeNumber>();
  readonly #rootTimeout: number;

  /** @param rootTimeout how long the root's attributes may be remembered, in ms */
  constructor(fileSystem: FileSystem, rootTimeout: number) {
    this.#fileSystem = fileSystem;
    this.#rootTimeout = rootTimeout;
  }

  get size(): number {
    return this.#known.size;
  }

  /** The kernel is about to be told of an entry, of which the tree has taken one reference. */
  told(parent: InodeNumber, name: string, entry: Entry): void {
    const { attributes, attributeTimeout, entryTimeout } = entry;
    const { ino } = attributes;
    const known = this.#known.get(ino);
    if (known === undefined) {
      const mayMove = attributes.kind === 'file' && entryTimeout < Infinity;
      this.#known.set(ino, {
        count: 1,
        attributeTimeout,
        parent,
        name: mayMove ? name : undefined,
        opened: false,
      });
      if (mayMove) this.#named.add(ino);
    } else {
      known.count += 1;
    }
  }

  /**
   * Give references back to the tree.
   * @returns whether the kernel does not know the inode any more
   */
  forget(ino: InodeNumber, count: number): boolean {
    const known = this.#known.get(ino);
    if (known === undefined) return false;
    // Not more than there are, whatever we are told.
    const given = Math.min(count, known.count);
    known.count -= given;
    const gone = known.count === 0;
    if (gone) {
      this.#known.delete(ino);
      this.#named.delete(ino);
    }
    this.#fileSystem.forget(ino, given);
    return gone;
  }

  /** The session has ended: the kernel says nothing more. */
  forgetAll(): void {
    for (const [ino, { count }] of [...this.#known]) this.forget(ino, count);
  }

  /** Whether the kernel knows the inode. */
  knows(ino: InodeNumber): boolean {
    return ino === ROOT_INODE || this.#known.has(ino);
  }

  /** Names of files that the kernel may remember, and that may come to lead elsewhere. */
  *names(): Iterable<{ readonly parent: InodeNumber; readonly name: string }> {
    for (const ino of this.#named) {
      const known = this.#known.get(ino);
      if (known?.name !== undefined) yield { parent: known.parent, name: known.name };
    }
  }

  /** How long attributes of this inode may be remembered, in ms. */
  attributeTimeout(ino: InodeNumber): number {
    return ino === ROOT_INODE ? this.#rootTimeout : (this.#known.get(ino)?.attributeTimeout ?? 0);
  }

  /** What `..` means in a directory. */
  parentOf(ino: InodeNumber): InodeNumber {
    return this.#known.get(ino)?.parent ?? ROOT_INODE;
  }

  /**
   * A file of this inode is being opened.
   * @returns whether it is the first since the kernel knows the inode, so that it has no pages
   */
  firstOpen(ino: InodeNumber): boolean {
    const known = this.#known.get(ino);
    if (known === undefined || known.opened) return false;
    known.opened = true;
    return true;
  }
}
