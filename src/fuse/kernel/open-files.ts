import { ErrnoError, type FileSystem, type InodeNumber } from '../../tree/file-system.js';
import { PageTrust, type PagesOfHandle } from '../page-trust.js';
import type { KernelInodes } from './kernel-inodes.js';

interface OpenHandle {
  readonly ino: InodeNumber;
  /** The tree's own handle. */
  readonly file: number;
  readonly pages: PagesOfHandle<InodeNumber>;
}

/** What OPEN answers. */
export interface OpenedFile {
  readonly handle: number;
  /** Whether the kernel may keep the pages that it has of the inode. */
  readonly keepPages: boolean;
}

/** The open files of one mount; the kernel has one set of pages per inode. */
export class OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #inodes: KernelInodes;
  readonly #trust = new PageTrust<InodeNumber>();
  readonly #handles = new Map<number, OpenHandle>();
  #lastHandle = 0;

  constructor(fileSystem: FileSystem, inodes: KernelInodes) {
    this.#fileSystem = fileSystem;
    this.#inodes = inodes;
  }

  /** @throws ErrnoError */
  async open(ino: InodeNumber): Promise<OpenedFile> {
    const { handle: file, verified } = await this.#fileSystem.open(ino);
    const pages = this.#trust.opened(ino, ino, verified, this.#inodes.firstOpen(ino));
    const handle = ++this.#lastHandle;
    this.#handles.set(handle, { ino, file, pages });
    return { handle, keepPages: pages.keep };
  }

  /** @throws ErrnoError */
  async read(handle: number, offset: number, length: number): Promise<Uint8Array> {
    const { file, pages } = this.#handle(handle);
    this.#trust.read(pages);
    return this.#fileSystem.read(file, offset, length);
  }

  /** @throws ErrnoError `EBADF` for an unknown handle */
  release(handle: number): void {
    const { file, pages } = this.#handle(handle);
    this.#handles.delete(handle);
    let verified = false;
    try {
      ({ verified } = this.#fileSystem.release(file));
    } finally {
      this.#trust.released(pages, verified);
    }
  }

  /** The kernel has forgotten this inode, and with it its pages. */
  forget(ino: InodeNumber): void {
    this.#trust.forget(ino);
  }

  /** Release all that is open: the kernel sends no RELEASE when it ends a mount by force. */
  releaseAll(): void {
    for (const handle of [...this.#handles.keys()]) this.release(handle);
  }

  #handle(handle: number): OpenHandle {
    const open = this.#handles.get(handle);
    if (open === undefined) throw new ErrnoError('EBADF', `There is no open file ${handle}.`);
    return open;
  }
}
