import type { InodeNumber } from '../../tree/file-system.js';
import type { InProgress } from './in-progress.js';
import type { KernelInodes } from './kernel-inodes.js';
import {
  encodeInvalidateAttributes,
  encodeInvalidateEntry,
  encodeInvalidateInode,
} from './replies.js';

/** How long {@link Announcements.made} waits, in ms. */
const DEADLINE_MS = 3000;

/** Tells the kernel what it did not ask for, see `Notices.add`. */
export type Notify = (key: string, notice: Uint8Array) => Promise<void>;

/**
 * Changes that the kernel is told of. Each is told after the requests about its inode that came
 * before are answered: their answers may still be made from what is old, and the kernel would hold
 * the notice back for them in a way that nothing can interrupt, not even the death of this process.
 */
export class Announcements {
  readonly #inodes: KernelInodes;
  readonly #inProgress: InProgress;
  readonly #notify: Notify;
  readonly #making = new Set<Promise<void>>();

  constructor(inodes: KernelInodes, inProgress: InProgress, notify: Notify) {
    this.#inodes = inodes;
    this.#inProgress = inProgress;
    this.#notify = notify;
  }

  /** A name leads elsewhere: whatever the kernel remembers of it, it looks it up again. */
  nameChanged(directory: InodeNumber, name: string): void {
    const notice = encodeInvalidateEntry(directory, name);
    void this.#make(directory, `name ${directory} ${name}`, notice);
  }

  /** All names of files that may come to lead elsewhere are to be looked up again. */
  allNames(): void {
    for (const { parent, name } of this.#inodes.names()) this.nameChanged(parent, name);
  }

  /** A directory has other entries: whatever the kernel remembers of it, it asks before it uses it. */
  listingChanged(directory: InodeNumber): void {
    void this.#make(directory, `listing ${directory}`, encodeInvalidateAttributes(directory));
  }

  /**
   * Bytes of an inode turned out wrong, or are read from elsewhere.
   * @returns settles when the kernel has dropped its pages, or never will
   */
  dropPages(ino: InodeNumber): Promise<void> {
    return this.#make(ino, `pages ${ino}`, encodeInvalidateInode(ino));
  }

  /** See `MountedFileSystem.announced`. */
  async made(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), DEADLINE_MS);
    });
    const all = Promise.all(this.#making).then(() => true);
    return Promise.race([all, deadline]).finally(() => clearTimeout(timer));
  }

  #make(ino: InodeNumber, key: string, notice: Uint8Array): Promise<void> {
    const made = this.#inProgress
      .unlocked(ino)
      .then(() => (this.#inodes.knows(ino) ? this.#notify(key, notice) : undefined))
      .finally(() => this.#making.delete(made));
    this.#making.add(made);
    return made;
  }
}
