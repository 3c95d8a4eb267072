import { constants as fsConstants } from 'node:fs';
import { constants as osConstants } from 'node:os';

import type { Log } from '../../observe/log.js';
import {
  type Attributes,
  type Change,
  ErrnoError,
  type FileSystem,
  type InodeNumber,
} from '../../tree/file-system.js';
import { Announcements, type Notify } from './announcements.js';
import { type BackingCalls, BackingFiles } from './backing-files.js';
import { DirentWriter } from './dirents.js';
import type { KnownNames } from './known-names.js';
import { InProgress } from './in-progress.js';
import { KeptListings } from './kept-listings.js';
import { KernelInodes } from './kernel-inodes.js';
import { countBefore, Listings, positionAfter } from './listings.js';
import { OpenFiles } from './open-files.js';
import { NamePublisher } from './name-publisher.js';
import { MAX_READ, MINOR_WITH_EPOCH, InitFlag2, OpenFlag, type Unique } from './protocol.js';
import {
  encodeAttributes,
  encodeData,
  encodeEntry,
  encodeInit,
  encodeOpen,
  encodeStatfs,
  encodeStatus,
  type EntryReply,
  keepsListings,
  type Owner,
} from './replies.js';
import { refusal } from './refusals.js';
import type { Body, Request } from './requests.js';

const { errno } = osConstants;

/**
 * Bytes of an inode whose pages are dropped ahead of the open that needs them no more; the kernel
 * then asks once for its attributes, which is not worth it for little.
 */
const MANY_PAGES = 8 * 1024 * 1024;

/** Sends an answer; false if nobody waits for it any more. */
export type Answer = (unique: Unique, chunks: readonly Uint8Array[]) => boolean;

/** An answer, and what to take back if the kernel does not want it any more. */
interface Reply {
  readonly chunks: readonly Uint8Array[];
  readonly undo?: () => void;
}

export interface OperationsOptions {
  readonly owner: Owner;
  /** How long the root's attributes may be remembered, in ms. */
  readonly refreshMs: number;
  readonly log: Log;
  readonly answer: Answer;
  /** For files that the kernel can read by itself. */
  readonly backings: BackingCalls;
  /** There may be such; see `TransportOptions`. */
  readonly handsFiles?: boolean;
  /** Have all threads answer lookups from this, or answer none in a directory any more. */
  readonly publish: (names: KnownNames) => void;
  readonly withdraw: (parent: InodeNumber) => void;
  /** Call {@link Operations.told} for all that threads have told of. */
  readonly settleTold: () => void;
  readonly notify: Notify;
}

/** FUSE requests over a {@link FileSystem}: each is answered exactly once, none throws. */
export class Operations {
  readonly #fileSystem: FileSystem;
  readonly #owner: Owner;
  readonly #log: Log;
  readonly #answer: Answer;
  readonly #inodes: KernelInodes;
  readonly #backings: BackingFiles;
  readonly #files: OpenFiles;
  readonly #listings: Listings;
  readonly #kept = new KeptListings();
  readonly #publisher: NamePublisher;
  readonly #inProgress = new InProgress();
  readonly #announcements: Announcements;
  readonly #unwatch: () => void;
  #kernelMinor = 0;
  /** The kernel opens directories without asking. */
  #keepsListings = false;

  constructor(fileSystem: FileSystem, options: OperationsOptions) {
    this.#fileSystem = fileSystem;
    this.#owner = options.owner;
    this.#log = options.log;
    this.#answer = options.answer;
    this.#inodes = new KernelInodes(fileSystem, options.refreshMs);
    this.#backings = new BackingFiles(options.backings, options.log, options.handsFiles);
    this.#files = new OpenFiles(fileSystem, this.#inodes, this.#backings);
    this.#listings = new Listings(fileSystem, this.#inodes);
    this.#publisher = new NamePublisher(fileSystem, options);
    this.#announcements = new Announcements(this.#inodes, this.#inProgress, options.notify);
    this.#unwatch = fileSystem.watch((change) => this.#changed(change));
  }

  /** Files that threads may open by themselves, see `OpenSlots`. */
  get sharedOpens(): Int32Array<SharedArrayBuffer> {
    return this.#files.sharedCells;
  }

  /** Begin to serve a request. */
  handle(request: Request): void {
    const { body } = request;
    if (body.kind === 'forget') {
      for (const { nodeid, count } of body.forgets) this.#forget(nodeid, count);
      return;
    }
    this.#inProgress.add(request.nodeid, body.kind, this.#serve(request));
  }

  /** A thread has told the kernel of a published entry; see {@link ToldRing}. */
  told(id: number, index: number): void {
    const entry = this.#publisher.entry(id, index < 0 ? ~index : index);
    if (entry === undefined) return;
    if (index < 0) {
      this.#forget(entry.entry.attributes.ino, 1);
      return;
    }
    const referred = this.#fileSystem.refer(entry.entry);
    this.#inodes.told(entry.parent, entry.entry.name, referred);
  }

  /**
   * All that may have changed is asked for anew at its next use.
   * @returns whether the kernel is to be told of a new epoch, so that it asks for names, too. One
   *   that knows no epochs is told of the names of files; directories it asks for in time.
   */
  refresh(): boolean {
    this.#listings.expireAll();
    for (const directory of this.#kept.directories()) this.#dropKept(directory);
    this.#publisher.expireAll();
    if (this.#kernelMinor >= MINOR_WITH_EPOCH) return true;
    this.#announcements.allNames();
    return false;
  }

  /** See `MountedFileSystem.announced`. */
  announced(): Promise<boolean> {
    return this.#announcements.made();
  }

  /** The kernel asks for nothing any more: wait for what is in progress, then let go of all. */
  async end(): Promise<void> {
    this.#unwatch();
    await this.#inProgress.settled();
    this.#publisher.close();
    this.#files.releaseAll();
    this.#listings.releaseAll();
    this.#inodes.forgetAll();
  }

  async #serve(request: Request): Promise<void> {
    const { unique } = request;
    let reply: Reply | undefined;
    try {
      reply = await this.#reply(request);
    } catch (error) {
      reply = { chunks: [encodeStatus(unique, this.#errnoOf(error, request))] };
    }
    if (reply !== undefined && !this.#answer(unique, reply.chunks)) reply.undo?.();
  }

  /** The answer for an error; one that is no ErrnoError is our own fault. */
  #errnoOf(error: unknown, { body, nodeid }: Request): number {
    const operation = body.kind;
    if (error instanceof ErrnoError) {
      this.#log.debug({ operation, nodeid, code: error.code }, error.message);
      return errno[error.code];
    }
    this.#log.error(
      { operation, nodeid, error },
      `The request ${operation} of inode ${nodeid} failed with an unexpected error and was answered EIO; this is a bug in layoutfs.`,
    );
    return errno.EIO;
  }

  async #reply(request: Request): Promise<Reply | undefined> {
    const { unique, nodeid, body } = request;
    switch (body.kind) {
      case 'init':
        this.#kernelMinor = body.minor;
        this.#keepsListings = keepsListings(body);
        if ((body.flags2 & InitFlag2.PASSTHROUGH) !== 0) this.#backings.allow();
        return { chunks: [encodeInit(unique, body)] };
      case 'lookup':
        return this.#lookup(unique, nodeid, body.name);
      case 'getattr': {
        const attributes = await this.#fileSystem.getattr(nodeid);
        const attributeTimeout = this.#inodes.attributeTimeout(nodeid);
        const told = this.#asTold({ attributes, attributeTimeout, entryTimeout: 0 });
        return {
          chunks: [encodeAttributes(unique, told.attributes, told.attributeTimeout, this.#owner)],
        };
      }
      case 'open':
        return this.#open(unique, nodeid, body.flags);
      case 'read': {
        const size = Math.min(body.size, MAX_READ);
        const data = await this.#files.read(body.handle, body.offset, size);
        return { chunks: encodeData(unique, data) };
      }
      case 'release':
        this.#files.release(body.handle);
        return { chunks: [encodeStatus(unique)] };
      case 'opendir': {
        if (this.#keepsListings) return { chunks: [encodeStatus(unique, errno.ENOSYS)] };
        const isCurrent = await this.#listings.isCurrent(nodeid);
        const flags = OpenFlag.CACHE_DIR | (isCurrent ? OpenFlag.KEEP_CACHE : 0);
        return { chunks: [encodeOpen(unique, 0, flags)] };
      }
      case 'readdir':
      case 'readdirplus':
        return this.#readdir(unique, nodeid, body);
      case 'releasedir':
        return { chunks: [encodeStatus(unique)] };
      case 'statfs':
        return { chunks: [encodeStatfs(unique, this.#fileSystem.statfs())] };
      case 'forget':
        // Taken by `handle`.
        return undefined;
      case 'interrupt':
      case 'destroy':
      case 'readlink':
      case 'mutation':
      case 'unsupported': {
        const status = refusal(body.kind);
        return status === undefined ? undefined : { chunks: [encodeStatus(unique, status)] };
      }
    }
  }

  async #lookup(unique: Unique, parent: number, name: string | undefined): Promise<Reply> {
    if (name === undefined) throw new ErrnoError('ENOENT', 'The name is not UTF-8.');
    const entry = await this.#fileSystem.lookup(parent, name);
    this.#inodes.told(parent, name, entry);
    if (entry.entryTimeout === Infinity) this.#publisher.lookedUp(parent);
    return {
      chunks: [encodeEntry(unique, this.#asTold(entry), this.#owner)],
      undo: () => this.#forget(entry.attributes.ino, 1),
    };
  }

  async #open(unique: Unique, ino: number, flags: number): Promise<Reply> {
    if ((flags & (fsConstants.O_WRONLY | fsConstants.O_RDWR)) !== 0) {
      throw new ErrnoError('EROFS', 'The mount is read-only.');
    }
    const { handle, keepPages, backingId } = await this.#files.open(ino);
    const kept = keepPages ? OpenFlag.KEEP_CACHE : 0;
    const openFlags = backingId === 0 ? kept : OpenFlag.PASSTHROUGH;
    return {
      chunks: [encodeOpen(unique, handle, openFlags, backingId)],
      undo: () => this.#files.release(handle),
    };
  }

  async #readdir(
    unique: Unique,
    ino: number,
    { kind, offset, size }: Body & { kind: 'readdir' | 'readdirplus' | 'read' },
  ): Promise<Reply> {
    const listing = await this.#listings.at(ino, offset);
    if (offset === 0 && this.#keepsListings) this.#kept.told(ino, this.#listings.freshFor(ino));
    const isPlus = kind === 'readdirplus';
    const self = await this.#fileSystem.getattr(ino);
    const up: Attributes = { ...self, ino: this.#inodes.parentOf(ino) };
    const dots = [
      { name: '.', attributes: self },
      { name: '..', attributes: up },
    ];
    const writer = new DirentWriter(Math.min(size, MAX_READ));
    const taken: number[] = [];
    for (let index = countBefore(offset); ; index += 1) {
      const isDot = index < dots.length;
      const entry = isDot ? dots[index] : listing.entries[index - dots.length];
      if (entry === undefined) break;
      const next = positionAfter(listing, index + 1);
      const take = () => {
        // The kernel knows these two already, and takes no reference for inode 0.
        if (isDot) return undefined;
        const referred = this.#fileSystem.refer(entry);
        this.#inodes.told(ino, entry.name, referred);
        taken.push(referred.attributes.ino);
        return this.#asTold(referred);
      };
      const fits = isPlus
        ? writer.addPlus(entry, next, take, this.#owner)
        : writer.add(entry, next);
      if (!fits) break;
    }
    return {
      chunks: encodeData(unique, writer.bytes),
      undo: () => {
        for (const one of taken) this.#forget(one, 1);
      },
    };
  }

  /** An entry, and for a directory what has the kernel give up in time what it keeps of it. */
  #asTold(entry: EntryReply): EntryReply {
    const { ino, kind, mtime } = entry.attributes;
    if (kind !== 'directory' || !this.#keepsListings) return entry;
    // Whoever begins to read it while the attributes are remembered is given the newest listing.
    const freshFor = this.#kept.freshFor(ino) ?? (this.#listings.freshFor(ino) || Infinity);
    // The ctime stays: tar(1) reports directories whose ctime changes while it reads them.
    const changed = { mtime: mtime + this.#kept.changes(ino), ctime: mtime };
    return {
      ...entry,
      attributes: { ...entry.attributes, ...changed },
      attributeTimeout: Math.min(entry.attributeTimeout, freshFor),
    };
  }

  /** The kernel is to ask before it shows what it may have kept of a directory. */
  #dropKept(directory: InodeNumber): void {
    if (this.#kept.drop(directory)) this.#announcements.listingChanged(directory);
  }

  #changed(change: Change): void {
    switch (change.kind) {
      case 'name':
        this.#announcements.nameChanged(change.directory, change.name);
        break;
      case 'listing':
        this.#listings.expire(change.directory);
        this.#dropKept(change.directory);
        this.#publisher.expire(change.directory);
        break;
      case 'bytes':
        this.#files.distrust(change.ino, this.#announcements.dropPages(change.ino));
        break;
      case 'backing':
        this.#inProgress.add(change.ino, 'open', this.#backed(change));
        break;
    }
  }

  /** Have the kernel drop many pages now, or the next open waits for that. */
  async #backed({ ino, size }: Change & { kind: 'backing' }): Promise<void> {
    try {
      const isBacked = await this.#files.backed(ino);
      if (isBacked && size >= MANY_PAGES) void this.#announcements.dropPages(ino);
    } catch (error) {
      // It was looked at before anybody asked; who asks is told.
      this.#log.debug({ error, ino }, 'A blob in the cache could not be opened ahead.');
    }
  }

  #forget(ino: number, count: number): void {
    if (!this.#inodes.forget(ino, count)) return;
    this.#files.forget(ino);
    this.#listings.forget(ino);
    this.#kept.forget(ino);
    this.#publisher.forget(ino);
  }
}
