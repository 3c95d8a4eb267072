import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveOptions } from '../../src/config/resolve.js';
import { RepositoryFilter } from '../../src/config/repository-filter.js';
import { registryOptions, type SourceRequest } from '../../src/daemon/open-source.js';
import { HealthRecord } from '../../src/daemon/store-health.js';
import { wire, type WiredSource, wireOpened } from '../../src/daemon/wire.js';
import { Counters } from '../../src/observe/counters.js';
import type { Log } from '../../src/observe/log.js';
import { openRegistry } from '../../src/registry/open.js';
import type { ObjectStore } from '../../src/store/object-store.js';
import {
  type Attributes,
  type Entry,
  ErrnoError,
  type FileSystem,
  ROOT_INODE,
} from '../../src/tree/file-system.js';

export interface LoggedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A file that stays open until it is closed. */
export interface OpenedPath {
  readonly size: number;
  read(offset: number, length: number): Promise<Buffer>;
  close(): void;
}

/** A source as a mount would show it, asked without a mount. */
export class TreeView {
  readonly wired: WiredSource;
  readonly counters: Counters;
  readonly log: readonly LoggedLine[];
  readonly #stateDir: string;

  private constructor(
    wired: WiredSource,
    counters: Counters,
    log: readonly LoggedLine[],
    stateDir: string,
  ) {
    this.wired = wired;
    this.counters = counters;
    this.log = log;
    this.#stateDir = stateDir;
  }

  /** Open a source; `options` are written as on the command line, e.g. `{ root: 'zot' }`. */
  static async open(
    source: string | undefined,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<TreeView> {
    return TreeView.#make(options, (request, key) => wire({ ...request, source }, key));
  }

  /** Open what lies at `prefix` of a store that is open already, such as one that misbehaves. */
  static async over(
    store: ObjectStore,
    prefix: string,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<TreeView> {
    return TreeView.#make(options, async (request, key) => {
      const { registry: kind, root, sharedBlobDir } = request.options;
      const selection = new RepositoryFilter(request.options);
      const common = registryOptions({ ...request, source: undefined });
      const registry = await openRegistry({ ...common, store, prefix, kind, root, sharedBlobDir });
      const opened = {
        name: store.name,
        registry,
        warnings: registry.warnings,
        places: [{ store, prefix }],
        health: new HealthRecord(),
        close: () => store.close(),
      };
      return wireOpened(opened, selection, request, key);
    });
  }

  static async #make(
    options: Readonly<Record<string, unknown>>,
    wireUp: (request: Omit<SourceRequest, 'source'>, key: Buffer) => Promise<WiredSource>,
  ): Promise<TreeView> {
    const stateDir = await mkdtemp(join(tmpdir(), 'layoutfs-view-'));
    const counters = new Counters();
    const lines: LoggedLine[] = [];
    const log = Object.fromEntries(
      (['debug', 'info', 'warn', 'error'] as const).map((level) => [
        level,
        (fields: Readonly<Record<string, unknown>>, message: string) =>
          lines.push({ level, fields, message }),
      ]),
    ) as unknown as Log;
    const written = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, { value, origin: `--${name}` }]),
    );
    try {
      const request = { options: await resolveOptions(written, {}), stateDir, log, counters };
      const wired = await wireUp(request, randomBytes(32));
      return new TreeView(wired, counters, lines, stateDir);
    } catch (error) {
      await rm(stateDir, { recursive: true, force: true });
      throw error;
    }
  }

  get fileSystem(): FileSystem {
    return this.wired.tree;
  }

  async close(): Promise<void> {
    await this.wired.close();
    await rm(this.#stateDir, { recursive: true, force: true });
  }

  /** `stat PATH`; throws ErrnoError. */
  async stat(path: string): Promise<Attributes> {
    return this.#at(path, (attributes) => Promise.resolve(attributes));
  }

  /** `ls PATH`. */
  async list(path: string): Promise<string[]> {
    const entries = await this.#at(path, ({ ino }) => this.fileSystem.readdir(ino));
    return entries.map((entry) => entry.name);
  }

  /** `ls -l PATH`: names with sizes. */
  async listSizes(path: string): Promise<Record<string, number>> {
    const entries = await this.#at(path, ({ ino }) => this.fileSystem.readdir(ino));
    return Object.fromEntries(entries.map(({ name, attributes }) => [name, attributes.size]));
  }

  /** `cat PATH`, in reads of `step` bytes; throws ErrnoError. */
  async read(path: string, step = 131072): Promise<Buffer> {
    return this.#at(path, async ({ ino, size }) => {
      const { handle } = await this.fileSystem.open(ino);
      try {
        const pieces: Uint8Array[] = [];
        for (let offset = 0; offset < size; offset += step) {
          const piece = await this.fileSystem.read(handle, offset, step);
          if (piece.byteLength !== Math.min(step, size - offset)) {
            throw new Error(`A short read of ${path} at ${offset}.`);
          }
          pieces.push(piece);
        }
        const beyond = await this.fileSystem.read(handle, size, 1);
        if (beyond.byteLength > 0) throw new Error(`${path} goes on after its end.`);
        return Buffer.concat(pieces);
      } finally {
        this.fileSystem.release(handle);
      }
    });
  }

  /** Open a file and keep it open; throws ErrnoError. */
  async open(path: string): Promise<OpenedPath> {
    const { handle, size } = await this.#at(path, async ({ ino, size }) => ({
      ...(await this.fileSystem.open(ino)),
      size,
    }));
    return {
      size,
      read: async (offset, length) =>
        Buffer.from(await this.fileSystem.read(handle, offset, length)),
      close: () => void this.fileSystem.release(handle),
    };
  }

  /** The errno of `cat PATH`, or `ok <bytes> <sha256>`. */
  async outcome(path: string): Promise<string> {
    try {
      const bytes = await this.read(path);
      return `ok ${bytes.byteLength} ${createHash('sha256').update(bytes).digest('hex')}`;
    } catch (error) {
      if (error instanceof ErrnoError) return error.code;
      throw error;
    }
  }

  /** Whether a path can be looked up. */
  async exists(path: string): Promise<boolean> {
    try {
      await this.stat(path);
      return true;
    } catch (error) {
      if (error instanceof ErrnoError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Every directory that has an `index.json`, found by walking as `find` would. */
  async repositories(path = ''): Promise<string[]> {
    const found: string[] = [];
    const entries = await this.#at(path, ({ ino }) => this.fileSystem.readdir(ino));
    const isRepository = entries.some(
      ({ name, attributes }) => name === 'index.json' && attributes.kind === 'file',
    );
    if (isRepository) found.push(path);
    for (const { name, attributes } of entries) {
      if (attributes.kind !== 'directory' || (isRepository && name === 'blobs')) continue;
      found.push(...(await this.repositories(path === '' ? name : `${path}/${name}`)));
    }
    return found.sort();
  }

  /** Every directory outside of `blobs/` of repositories, the root left out, found by walking. */
  async directories(path = ''): Promise<string[]> {
    const entries = await this.#at(path, ({ ino }) => this.fileSystem.readdir(ino));
    const isRepository = entries.some(({ name }) => name === 'index.json');
    const found: string[] = path === '' ? [] : [path];
    for (const { name, attributes } of entries) {
      if (attributes.kind !== 'directory' || (isRepository && name === 'blobs')) continue;
      found.push(...(await this.directories(path === '' ? name : `${path}/${name}`)));
    }
    return found;
  }

  /** Walk to a path as the kernel does, and give all references back. */
  async #at<T>(path: string, use: (attributes: Attributes) => Promise<T>): Promise<T> {
    const taken: Entry[] = [];
    try {
      let attributes = await this.fileSystem.getattr(ROOT_INODE);
      for (const name of path.split('/').filter((part) => part !== '')) {
        const entry = await this.fileSystem.lookup(attributes.ino, name);
        taken.push(entry);
        attributes = entry.attributes;
      }
      return await use(attributes);
    } finally {
      for (const entry of taken) this.fileSystem.forget(entry.attributes.ino, 1);
    }
  }
}
