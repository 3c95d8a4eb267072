import { ErrnoError, type FileSystem, type InodeNumber } from '../../tree/file-system.js';
import { PageTrust, type PagesOfHandle } from '../page-trust.js';
import type { BackingFiles } from './backing-files.js';
import type { KernelInodes } from './kernel-inodes.js';
import { isSlotHandle } from './open-slots.js';
import { SharedFiles } from './shared-files.js';

interface OpenHandle {
  readonly ino: InodeNumber;
  /** The tree's own handle. */
  readonly file: number;
  readonly pages: PagesOfHandle<InodeNumber>;
}

/**
 * How long an OPEN waits for pages of wrong bytes to go, in ms; then they go with its answer, which
 * does not let the kernel keep any.
 */
const LEAVE_DEADLINE_MS = 5000;

/** What OPEN answers. */
export interface OpenedFile {
  readonly handle: number;
  /** Whether the kernel may keep the pages that it has of the inode. */
  readonly keepPages: boolean;
  /** Of the file that the kernel reads by itself, see {@link BackingFiles}; 0 if we serve the reads. */
  readonly backingId: number;
}

/**
 * The open files of one mount; the kernel has one set of pages per inode. A file that never changes,
 * all of whose bytes are known to be right and so are all pages that the kernel may have of it, is
 * shared with the serving threads: each of its opens is answered alike.
 */
export class OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #inodes: KernelInodes;
  readonly #backings: BackingFiles;
  readonly #trust = new PageTrust<InodeNumber>();
  readonly #handles = new Map<number, OpenHandle>();
  readonly #shared = new SharedFiles<OpenHandle>(
    (open) => this.#close(open),
    ({ ino }) => this.#backings.isSound(ino),
  );
  /** Inodes of which the kernel may have pages of wrong bytes, until it has dropped them. */
  readonly #leaving = new Map<InodeNumber, Promise<void>>();
  #lastHandle = 0;

  constructor(fileSystem: FileSystem, inodes: KernelInodes, backings: BackingFiles) {
    this.#fileSystem = fileSystem;
    this.#inodes = inodes;
    this.#backings = backings;
  }

  /** What the serving threads need for `OpenSlots`. */
  get sharedCells(): Int32Array<SharedArrayBuffer> {
    return this.#shared.cells;
  }

  /** @throws ErrnoError */
  async open(ino: InodeNumber): Promise<OpenedFile> {
    const shared = this.#shared.open(ino);
    if (shared !== undefined) return this.#sharedAnswer(shared);
    // If there is one all the same, somebody has written to the file behind it.
    this.#shared.retire(ino);
    const { handle: file, verified, backing } = await this.#fileSystem.open(ino);
    await this.#rightPages(ino);
    if (backing !== undefined) this.#shared.renew = true;
    const backingId = this.#enter(ino, file, backing?.fd);
    const pages = this.#trust.opened(ino, ino, verified, this.#inodes.firstOpen(ino));
    const open = { ino, file, pages };
    if (!verified) {
      // From now on there may be pages that nobody can vouch for.
      this.#shared.retire(ino);
    } else if ((pages.keep || backingId !== 0) && this.#inodes.attributeTimeout(ino) === Infinity) {
      const published = this.#shared.publish(ino, open, backing && { ...backing, id: backingId });
      if (published !== undefined) return this.#sharedAnswer(published);
    }
    const handle = ++this.#lastHandle;
    this.#handles.set(handle, open);
    return { handle, keepPages: pages.keep && backingId === 0, backingId };
  }

  /** @throws ErrnoError */
  async read(handle: number, offset: number, length: number): Promise<Uint8Array> {
    const { ino, file, pages } = this.#handle(handle);
    this.#trust.read(pages);
    try {
      return await this.#fileSystem.read(file, offset, length);
    } catch (error) {
      // Whether it can be opened at all now, as a blob that was lost, is for the tree to say.
      this.#shared.retire(ino);
      throw error;
    }
  }

  /** @throws ErrnoError `EBADF` for an unknown handle */
  release(handle: number): void {
    if (this.#shared.release(handle)) return;
    const open = this.#handle(handle);
    this.#handles.delete(handle);
    this.#close(open);
  }

  /** The kernel has forgotten this inode, and with it its pages. */
  forget(ino: InodeNumber): void {
    this.#shared.retire(ino);
    this.#trust.forget(ino);
  }

  /**
   * Bytes of the inode turned out wrong: no open that is answered from now on finds them.
   * @param gone settles when the kernel has dropped the inode's pages, or never will
   */
  distrust(ino: InodeNumber, gone: Promise<void>): void {
    this.#shared.retire(ino);
    this.#trust.forget(ino);
    const leaving = gone.then(() => {
      if (this.#leaving.get(ino) === leaving) this.#leaving.delete(ino);
    });
    this.#leaving.set(ino, leaving);
  }

  /**
   * The inode has become a file on the disk: who opens it from now on may have the kernel read that.
   * @returns whether the pages that the kernel has of it are of no more use: the next such open
   *   would wait for the kernel to drop them
   * @throws ErrnoError
   */
  async backed(ino: InodeNumber): Promise<boolean> {
    this.#shared.retire(ino);
    // Who has it open reads on as before, and so does who comes meanwhile.
    if (this.#backings.isServed(ino)) return false;
    if (this.#backings.works === undefined) this.release((await this.open(ino)).handle);
    return this.#backings.works === true && !this.#backings.isServed(ino);
  }

  /** Release all that is open: the kernel sends no RELEASE when it ends a mount by force. */
  releaseAll(): void {
    for (const handle of [...this.#handles.keys()]) this.release(handle);
    this.#shared.closeAll();
  }

  async #rightPages(ino: InodeNumber): Promise<void> {
    const leaving = this.#leaving.get(ino);
    if (leaving === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_DEADLINE_MS);
    });
    await Promise.race([leaving, deadline]);
    clearTimeout(timer);
  }

  /** @throws ErrnoError; then the file is closed in the tree */
  #enter(ino: InodeNumber, file: number, fd: number | undefined): number {
    try {
      return this.#backings.enter(ino, fd) ?? 0;
    } catch (error) {
      this.#fileSystem.release(file);
      throw error;
    }
  }

  #sharedAnswer(handle: number): OpenedFile {
    const backingId = this.#shared.backingId(handle);
    return { handle, keepPages: backingId === 0, backingId };
  }

  #close({ ino, file, pages }: OpenHandle): void {
    let verified = false;
    this.#backings.leave(ino);
    try {
      ({ verified } = this.#fileSystem.release(file));
    } finally {
      this.#trust.released(pages, verified);
      if (!verified) this.#shared.retire(ino);
    }
  }

  #handle(handle: number): OpenHandle {
    const open = isSlotHandle(handle) ? this.#shared.get(handle) : this.#handles.get(handle);
    if (open === undefined) throw new ErrnoError('EBADF', `There is no open file ${handle}.`);
    return open;
  }
}
