import { type Mount, readMountTable, topMount } from './mount-table.js';
import { FS_TYPE } from './mountpoint.js';
import { type MountedFileSystem, MountError } from './transport.js';
import { unmount } from './unmount.js';

/** How long the session may take to end after its mount is gone. */
const END_DEADLINE_MS = 5000;

/** What a transport can do while it serves a mount. */
export interface OwnSession {
  /** Tell the kernel to ask again; nothing where it remembers nothing for long. */
  refresh(): void;
  /** See {@link MountedFileSystem.announced}. */
  announced(): Promise<boolean>;
  /** See {@link MountedFileSystem.requests}. */
  requests(): Readonly<Record<string, number>>;
}

/** A mount that this process serves, whichever transport made it. */
export class OwnMount implements MountedFileSystem {
  readonly ended: Promise<void>;
  readonly #mountpoint: string;
  readonly #mount: Mount | undefined;
  readonly #session: OwnSession;
  #hasEnded = false;

  /**
   * @param mount what was found at `mountpoint` after mounting
   * @param ended settles when the kernel has ended the session and all is released
   */
  constructor(
    mountpoint: string,
    mount: Mount | undefined,
    ended: Promise<void>,
    session: OwnSession,
  ) {
    this.#session = session;
    this.#mountpoint = mountpoint;
    this.#mount = mount?.fsType === FS_TYPE ? mount : undefined;
    this.ended = ended.then(() => {
      this.#hasEnded = true;
    });
  }

  refresh(): void {
    if (!this.#hasEnded) this.#session.refresh();
  }

  announced(): Promise<boolean> {
    return this.#hasEnded ? Promise.resolve(true) : this.#session.announced();
  }

  requests(): Readonly<Record<string, number>> {
    return this.#session.requests();
  }

  async unmount(): Promise<void> {
    // Somebody may have unmounted ours, or mounted something over it. The kernel gives the number
    // of a mount that is gone to another, so number and place must both be ours.
    const mounts = (await readMountTable()).filter(
      (mount) => mount.mountpoint === this.#mountpoint,
    );
    if (this.#hasEnded || !mounts.some((mount) => mount.id === this.#mount?.id)) {
      return this.#settle();
    }
    if (topMount(mounts, this.#mountpoint)?.id !== this.#mount?.id) {
      throw new MountError(
        `Another file system is mounted over ${this.#mountpoint}; unmount that first with: umount ${this.#mountpoint}`,
      );
    }
    const outcome = await unmount(this.#mountpoint);
    if (outcome === 'unmounted') await this.#settle();
  }

  /** Wait a moment for the end, which follows once the requests in flight are answered. */
  async #settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, END_DEADLINE_MS)));
    await Promise.race([this.ended, deadline]);
    clearTimeout(timer);
  }
}
