import type { CatalogChange } from '../catalog/catalog.js';
import type { BlobName } from '../blobs/finder.js';
import { INDEX_FILE } from '../oci/layout.js';
import type { Change, InodeNumber } from './file-system.js';
import type { InodeTable } from './inode-table.js';
import type { Node } from './nodes.js';

/** Algorithms whose directories are told of a new index; those of others are listed anew in time. */
const ALGORITHMS = ['sha256', 'sha512', 'sha384', 'blake3'] as const;

/** A blob, and what pool of blobs it is of. */
type ScopedBlob = Pick<BlobName, 'digest' | 'size'> & { readonly scope: string };

/** What the floors below found out, as changes of inodes that somebody refers to. */
export class Changes {
  readonly #inodes: InodeTable;
  readonly #scope: (repository: string) => string;
  readonly #listeners = new Set<(change: Change) => void>();

  /** @param scope what of repositories shares a pool of blobs, see `Registry.scope` */
  constructor(inodes: InodeTable, scope: (repository: string) => string) {
    this.#inodes = inodes;
    this.#scope = scope;
  }

  /** @returns to be called when no more changes shall be told */
  watch(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The catalog found a change in the store. */
  found(change: CatalogChange): void {
    if (this.#listeners.size === 0) return;
    switch (change.kind) {
      case 'directory':
        this.#listing({ kind: 'directory', path: change.path });
        break;
      case 'index':
        this.#index(change.repository);
        break;
    }
  }

  /** Bytes of a blob that were delivered, or were about to be, are wrong. */
  wrong({ repository, digest, size }: BlobName): void {
    const ino = this.#inodeOf({ digest, size, scope: this.#scope(repository) });
    if (ino !== undefined) this.#tell({ kind: 'bytes', ino });
  }

  /** A blob has become a plain file on the local disk. */
  kept(blob: ScopedBlob): void {
    const ino = this.#inodeOf(blob);
    if (ino !== undefined) this.#tell({ kind: 'backing', ino, size: blob.size });
  }

  #inodeOf({ scope, digest, size }: ScopedBlob): InodeNumber | undefined {
    if (this.#listeners.size === 0) return undefined;
    // The repository is no part of its identity.
    const blob = { digest, size, foreign: false };
    return this.#inodes.known({ kind: 'blob', repository: '', scope, blob });
  }

  #index(repository: string): void {
    const directory = this.#inodes.known({ kind: 'directory', path: repository });
    if (directory === undefined) return;
    this.#tell({ kind: 'name', directory, name: INDEX_FILE });
    this.#tell({ kind: 'listing', directory });
    this.#listing({ kind: 'blobs', repository });
    for (const algorithm of ALGORITHMS) this.#listing({ kind: 'algorithm', repository, algorithm });
  }

  #listing(node: Node): void {
    const directory = this.#inodes.known(node);
    if (directory !== undefined) this.#tell({ kind: 'listing', directory });
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
