import type { FileHandle } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { Counters } from '../../observe/counters.js';
import type { Log } from '../../observe/log.js';
import { type Digest, digestParts } from '../../oci/digest.js';
import type { CachedBlob } from '../disk-cache.js';
import { errnoOf } from './errors.js';
import { removeBlob } from './evict.js';
import { type Fingerprint, fingerprintOf, isSame } from './fingerprint.js';
import type { HasherThread } from './hasher-thread.js';
import { blobPath, recordPath } from './paths.js';
import { openPlainFile } from './plain-file.js';
import { isRecorded, writeRecord } from './record.js';
import { SharedBlob } from './shared-blob.js';
import type { Trouble } from './trouble.js';

export interface CompleteBlobsOptions {
  readonly root: string;
  readonly hasher: HasherThread;
  readonly trouble: Trouble;
  readonly counters: Counters;
  readonly log: Log;
}

/** A blob that is open, or about to be. */
interface Opening {
  readonly done: Promise<SharedBlob | undefined>;
  shared?: SharedBlob | undefined;
}

/** The complete blobs of a cache directory, each opened once for all its readers. */
export class CompleteBlobs {
  readonly #options: CompleteBlobsOptions;
  /** What was hashed again, for disks on which that can be neither recorded nor mended. */
  readonly #judged = new LRUCache<Digest, { file: Fingerprint; right: boolean }>({
    // With `max` it would take all its room at once, before a mount answers.
    maxSize: 10_000,
    sizeCalculation: () => 1,
  });
  #isClosed = false;
  #toldOfForeign = false;
  readonly #open = new Map<Digest, Opening>();

  constructor(options: CompleteBlobsOptions) {
    this.#options = options;
  }

  /** Blobs that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether a blob is open, or about to be. */
  isOpen(digest: Digest): boolean {
    return this.#open.has(digest);
  }

  /** The blob, when it is there with these bytes; waits while its file is hashed again. */
  async open(digest: Digest, size: number): Promise<CachedBlob | undefined> {
    for (;;) {
      const shared = await this.#shared(digest);
      if (shared === undefined) return undefined;
      // A descriptor that lies about the size names another content.
      if (shared.size !== size) {
        shared.closeIfUnused();
        return undefined;
      }
      const blob = shared.open();
      if (blob !== undefined) return blob;
      // Its last reader closed it just now.
    }
  }

  /** What fails from now on is not worth a word. */
  close(): void {
    this.#isClosed = true;
  }

  /** Say to other processes what is open. */
  renew(): void {
    for (const { shared } of this.#open.values()) shared?.renew();
  }

  async #shared(digest: Digest): Promise<SharedBlob | undefined> {
    const before = this.#open.get(digest);
    const open = await before?.done;
    if (open !== undefined && (await open.isUnchanged())) return open;
    const meanwhile = this.#open.get(digest);
    if (meanwhile !== undefined && meanwhile !== before) return meanwhile.done;
    // Whoever is first opens it for all.
    const done = this.#openFile(digest).then(
      (shared) => (opening.shared = shared),
      (error: unknown) => {
        if (!this.#isClosed) this.#options.trouble.readFailed(error);
        return undefined;
      },
    );
    const opening: Opening = { done };
    this.#open.set(digest, opening);
    const shared = await done;
    if (shared === undefined && this.#open.get(digest) === opening) this.#open.delete(digest);
    return shared;
  }

  async #openFile(digest: Digest): Promise<SharedBlob | undefined> {
    const path = blobPath(this.#options.root, digest);
    const found = await openPlainFile(path);
    if (found === 'absent') return undefined;
    if (found === 'foreign') {
      this.#foreign(path);
      return undefined;
    }
    const { file, stat } = found;
    try {
      const fingerprint = await this.#verified(digest, file, fingerprintOf(stat));
      if (fingerprint !== undefined) return this.#share(digest, path, file, fingerprint);
      await file.close();
      return undefined;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  #share(digest: Digest, path: string, file: FileHandle, fingerprint: Fingerprint): SharedBlob {
    const { root, counters, trouble } = this.#options;
    const shared: SharedBlob = new SharedBlob({
      digest,
      path,
      recordPath: recordPath(root, digest),
      file,
      fingerprint,
      counters,
      failed: (error) => {
        trouble.readFailed(error);
        // A file that is too short or on bad sectors is fetched again, and replaced.
        if (['EIO', undefined].includes(errnoOf(error))) void this.#remove(digest, fingerprint);
      },
      closed: () => {
        if (this.#open.get(digest)?.shared === shared) this.#open.delete(digest);
      },
    });
    return shared;
  }

  /** The file's fingerprint once its bytes are known to be right; undefined when they are wrong. */
  async #verified(
    digest: Digest,
    file: FileHandle,
    found: Fingerprint,
  ): Promise<Fingerprint | undefined> {
    const { root, hasher, counters, log, trouble } = this.#options;
    const record = recordPath(root, digest);
    if (await isRecorded(record, found)) return found;
    const judged = this.#judged.get(digest);
    if (judged !== undefined && isSame(judged.file, found)) {
      if (judged.right) return found;
      if (trouble.mayWrite) await this.#remove(digest, found);
      return undefined;
    }
    counters.increment('cache.rehashed');
    const { algorithm } = digestParts(digest);
    const actual = await hasher.hash({ fd: file.fd, algorithm, offset: 0, length: found.size });
    const after = fingerprintOf(await file.stat({ bigint: true }));
    if (actual === digest) {
      // Somebody is at it: who knows what it is by now.
      if (!isSame(found, after)) return undefined;
      this.#judged.set(digest, { file: found, right: true });
      await writeRecord(record, found).catch((error: unknown) => trouble.writeFailed(error));
      return found;
    }
    counters.increment('cache.damaged');
    this.#judged.set(digest, { file: found, right: false });
    log.warn(
      { digest, actual },
      `A file of the cache ${root} had wrong bytes; it is removed, and the blob comes from the store.`,
    );
    await this.#remove(digest, found);
    return undefined;
  }

  #foreign(path: string): void {
    const { counters, log, root } = this.#options;
    counters.increment('cache.foreign');
    if (this.#toldOfForeign) return;
    this.#toldOfForeign = true;
    log.warn(
      { path },
      `Files in the cache ${root} belong to others, may be written by others, or are no plain files; they are not used. "layoutfs cache verify" removes them.`,
    );
  }

  /** Remove a blob's file, unless it was replaced meanwhile. */
  async #remove(digest: Digest, { inode }: Fingerprint): Promise<void> {
    const { root, trouble } = this.#options;
    try {
      await removeBlob(root, digest, inode);
    } catch (error) {
      trouble.writeFailed(error);
    }
  }
}
