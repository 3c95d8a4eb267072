import { type InodeNumber, ROOT_INODE } from './file-system.js';
import { InodeNumbers } from './inode-numbers.js';
import { identityOf, type Node } from './nodes.js';

interface Inode {
  node: Node;
  /** Lookups the kernel has not given back yet. */
  references: number;
}

/** The inodes the kernel knows: each lives from its first lookup until all are forgotten. */
export class InodeTable {
  readonly #numbers: InodeNumbers;
  readonly #inodes = new Map<InodeNumber, Inode>();

  constructor(key: Buffer) {
    this.#numbers = new InodeNumbers(key);
    const root: Node = { kind: 'directory', path: '' };
    this.#inodes.set(ROOT_INODE, { node: root, references: 1 });
  }

  get size(): number {
    return this.#inodes.size;
  }

  get(ino: InodeNumber): Node | undefined {
    return this.#inodes.get(ino)?.node;
  }

  /** The number of a node, whether or not the kernel knows it; takes no reference. */
  numberOf(node: Node): InodeNumber {
    if (node.kind === 'directory' && node.path === '') return ROOT_INODE;
    return this.#numbers.of(identityOf(node), (ino) => !this.#isFor(ino, node));
  }

  /** The number of a node that somebody refers to, else undefined. */
  known(node: Node): InodeNumber | undefined {
    const ino = this.numberOf(node);
    return this.#inodes.has(ino) && this.#isFor(ino, node) ? ino : undefined;
  }

  /**
   * Take one reference on a node's inode; the node replaces what was known of it.
   * @param likely its number, if it was asked for before
   */
  refer(node: Node, likely?: InodeNumber): InodeNumber {
    const ino = likely !== undefined && this.#isFor(likely, node) ? likely : this.numberOf(node);
    const known = this.#inodes.get(ino);
    if (known) {
      known.node = node;
      known.references++;
    } else {
      this.#inodes.set(ino, { node, references: 1 });
    }
    return ino;
  }

  /** Whether no other node has the number. */
  #isFor(ino: InodeNumber, node: Node): boolean {
    const known = this.#inodes.get(ino)?.node;
    return known === undefined || known === node || identityOf(known) === identityOf(node);
  }

  /** Give references back; the root stays. */
  forget(ino: InodeNumber, count: number): void {
    const inode = this.#inodes.get(ino);
    if (!inode || ino === ROOT_INODE) return;
    inode.references -= count;
    if (inode.references <= 0) this.#inodes.delete(ino);
  }
}
