import {
  type Attributes,
  type Entry,
  ErrnoError,
  type FileSystem,
  type InodeNumber,
} from '../../tree/file-system.js';
import { PageTrust, type PagesOfHandle } from './page-trust.js';
import { lookupPath } from './walk.js';

/** libfuse carries a handle as a C `int`, and fuse-native takes 0 for "none". */
const MAX_HANDLE = 2 ** 31 - 1;

/**
 * The open files of one mount.
 *
 * libfuse knows one kernel inode per path, and the kernel one page cache per inode, while for the
 * tree another version of a file is another inode. So from the first open of a path to its last
 * release the path means the inode that was opened first: every reader sees one version from open
 * to close. The next open then takes the newest.
 */
export class OpenFiles {
  readonly #fileSystem: FileSystem;
  readonly #trust: PageTrust;
  readonly #pins = new Map<string, Pin>();
  readonly #handles = new Map<number, OpenHandle>();
  #lastHandle = 0;

  constructor(fileSystem: FileSystem, trust = new PageTrust()) {
    this.#fileSystem = fileSystem;
    this.#trust = trust;
  }

  /**
   * Open the file at `path`.
   * @returns the handle, between 1 and 2^31-1
   * @throws ErrnoError
   */
  async open(path: string): Promise<number> {
    const pin = this.#pins.get(path) ?? this.#pin(path);
    pin.users += 1;
    try {
      const { ino } = (await pin.entry).attributes;
      const file = await this.#fileSystem.open(ino);
      const handle = this.#newHandle();
      const pages = this.#trust.opened(path, ino, file.verified);
      this.#handles.set(handle, { pin, ino, file: file.handle, pages });
      return handle;
    } catch (error) {
      this.#unpin(pin);
      throw error;
    }
  }

  /** The attributes of the version that is open at `path`; `undefined` when none is. */
  attributes(path: string): Promise<Attributes> | undefined {
    return this.#pins
      .get(path)
      ?.entry.then((entry) => this.#fileSystem.getattr(entry.attributes.ino));
  }

  /**
   * The attributes of an open file, as `fgetattr` must answer them: see {@link PageTrust}.
   * @throws ErrnoError `EBADF` for an unknown handle
   */
  async handleAttributes(handle: number): Promise<Attributes> {
    const { ino, pages } = this.#handle(handle);
    const mtime = this.#trust.fleetingMtime(pages);
    const attributes = await this.#fileSystem.getattr(ino);
    return mtime === undefined ? attributes : { ...attributes, mtime };
  }

  /** @throws ErrnoError */
  async read(handle: number, offset: number, length: number): Promise<Uint8Array> {
    const { file, pages } = this.#handle(handle);
    this.#trust.read(pages);
    return this.#fileSystem.read(file, offset, length);
  }

  /** @throws ErrnoError `EBADF` for an unknown handle */
  release(handle: number): void {
    const { pin, file, pages } = this.#handle(handle);
    this.#handles.delete(handle);
    try {
      this.#trust.released(pages, this.#fileSystem.release(file).verified);
    } finally {
      this.#unpin(pin);
    }
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

  #newHandle(): number {
    do {
      this.#lastHandle = this.#lastHandle === MAX_HANDLE ? 1 : this.#lastHandle + 1;
    } while (this.#handles.has(this.#lastHandle));
    return this.#lastHandle;
  }

  #pin(path: string): Pin {
    const entry = lookupPath(this.#fileSystem, path);
    const pin: Pin = { path, entry, users: 0 };
    this.#pins.set(path, pin);
    return pin;
  }

  #unpin(pin: Pin): void {
    pin.users -= 1;
    if (pin.users > 0) return;
    this.#pins.delete(pin.path);
    // A lookup that failed took no reference, and its error went to those who opened.
    pin.entry.then(
      (entry) => this.#fileSystem.forget(entry.attributes.ino, 1),
      () => undefined,
    );
  }
}

/** What a path means while somebody opens it or has it open. */
interface Pin {
  readonly path: string;
  /** Holds one reference of the inode. */
  readonly entry: Promise<Entry>;
  /** Opens in progress and open handles. */
  users: number;
}

interface OpenHandle {
  readonly pin: Pin;
  readonly ino: InodeNumber;
  /** The tree's own handle. */
  readonly file: number;
  readonly pages: PagesOfHandle;
}
