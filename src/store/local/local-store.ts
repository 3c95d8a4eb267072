import { lstat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { isStoreError, StoreError } from '../errors.js';
import { formatSource, type FileSource } from '../source.js';
import type {
  CopyOptions,
  CopyResult,
  DeleteFailure,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  UploadInFlight,
  WritableObjectStore,
} from '../object-store.js';
import { openFileIn, pathIn, splitKey, withDirectory } from './beneath.js';
import { readRange } from './body.js';
import { Directories, UNFINISHED } from './directories.js';
import { errnoOf, localFailure } from './failures.js';
import { checkConditions, infoOf, selectRange } from './info.js';
import { listPage } from './list.js';
import { copyFileBeneath, removeBeneath, writeFileBeneath } from './write.js';

/**
 * A directory as an object store: keys are relative paths of regular files. No link below the
 * directory is followed, and links, devices and FIFOs are no objects. Differences from a bucket:
 * an empty directory shows as a common prefix, keys with empty, `.` or `..` components cannot
 * exist, and `a` and `a/b` cannot both exist. `copy` shares blocks where the file system can.
 */
export class LocalStore implements WritableObjectStore {
  readonly name: string;
  readonly capabilities = {
    conditionalGet: true,
    serverSideCopy: true,
    linkedObjects: true,
    conditionalWrite: true,
    copyChecksum: false,
    largestCopy: Infinity,
    copyPart: Infinity,
  };
  readonly #root: string;
  readonly #directories: Directories;

  constructor(source: FileSource) {
    this.name = formatSource(source);
    this.#root = source.root;
    this.#directories = new Directories(source.root);
  }

  async list(options: ListOptions): Promise<ListPage> {
    try {
      return await listPage(this.#root, this.#directories, options);
    } catch (error) {
      throw localFailure(error, `list "${options.prefix}" in ${this.name}`);
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    const { range, signal } = options;
    this.#checkAborted(key, signal);
    const file = await this.#open(key);
    try {
      const stat = await file.stat({ bigint: true });
      if (!stat.isFile()) throw this.#notFound(key);
      const info = infoOf(key, stat);
      const what = `"${key}" in ${this.name}`;
      checkConditions(info, options, what);
      const { offset, length } = selectRange(info.size, range, what);
      this.#checkAborted(key, signal);
      const { body, readInto, cancel } = readRange({ file, offset, length, stat, what, signal });
      return { info, offset, length, body, readInto, cancel };
    } catch (error) {
      await file.close();
      throw localFailure(error, `read "${key}" in ${this.name}`);
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo> {
    this.#checkAborted(key, signal);
    return this.#inParent('read', key, async (directory, name) =>
      infoOf(key, await this.#regular(directory, name, key)),
    );
  }

  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo> {
    this.#checkAborted(key, signal);
    return this.#write(key, (components) => writeFileBeneath(this.#root, components, body));
  }

  async putIfAbsent(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo> {
    this.#checkAborted(key, signal);
    try {
      return await this.#write(key, (components) =>
        writeFileBeneath(this.#root, components, body, { mayReplace: false }),
      );
    } catch (error) {
      if (!isStoreError(error) || errnoOf(error.cause) !== 'EEXIST') throw error;
      const message = `"${key}" in ${this.name} exists already.`;
      throw new StoreError('PreconditionFailed', message, { cause: error });
    }
  }

  async copy(from: string, to: string, { signal }: CopyOptions = {}): Promise<CopyResult> {
    this.#checkAborted(from, signal);
    const file = await this.#open(from);
    try {
      const { etag } = await this.#write(to, (components) =>
        copyFileBeneath(this.#root, file, components),
      );
      return etag === undefined ? {} : { etag };
    } finally {
      await file.close();
    }
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    this.#checkAborted(key, signal);
    const components = splitKey(key);
    if (components === undefined) return;
    try {
      await removeBeneath(this.#root, components);
      this.#directories.clear();
    } catch (error) {
      const failure = localFailure(error, `delete "${key}" in ${this.name}`);
      if (failure.code !== 'NotFound') throw failure;
    }
  }

  async deleteMany(
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly DeleteFailure[]> {
    const failures: DeleteFailure[] = [];
    for (const key of keys) {
      try {
        await this.delete(key, signal);
      } catch (error) {
        if (!isStoreError(error) || error.code === 'Aborted') throw error;
        failures.push({ key, error });
      }
    }
    return failures;
  }

  uploads(): Promise<readonly UploadInFlight[]> {
    return Promise.resolve([]);
  }

  abortUpload(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#directories.clear();
    return Promise.resolve();
  }

  #open(key: string): Promise<FileHandle> {
    return this.#inParent('read', key, async (directory, name) => {
      // Opening a device can have effects of its own, so look before.
      await this.#regular(directory, name, key);
      return openFileIn(directory, name);
    });
  }

  async #regular(directory: FileHandle, name: string, key: string): Promise<BigIntStats> {
    const stat = await lstat(pathIn(directory, name), { bigint: true });
    if (!stat.isFile()) throw this.#notFound(key);
    return stat;
  }

  async #inParent<T>(
    verb: string,
    key: string,
    use: (directory: FileHandle, name: string) => Promise<T>,
  ): Promise<T> {
    const components = splitKey(key);
    const name = components?.at(-1);
    if (components === undefined || name === undefined) throw this.#notFound(key);
    try {
      return await withDirectory(this.#root, components.slice(0, -1), (directory) =>
        use(directory, name),
      );
    } catch (error) {
      throw localFailure(error, `${verb} "${key}" in ${this.name}`);
    }
  }

  async #write(
    key: string,
    write: (components: readonly string[]) => Promise<BigIntStats>,
  ): Promise<ObjectInfo> {
    const components = splitKey(key);
    if (components === undefined || components.at(-1)?.startsWith(UNFINISHED) === true) {
      throw new StoreError(
        'Failed',
        `A directory cannot hold the key "${key}": choose one without empty, "." or ".." parts.`,
      );
    }
    try {
      const stat = await write(components);
      this.#directories.clear();
      return infoOf(key, stat);
    } catch (error) {
      const failure = localFailure(error, `write "${key}" in ${this.name}`);
      if (failure.code !== 'NotFound') throw failure;
      throw new StoreError(
        'Failed',
        `Cannot write "${key}" in ${this.name}: a part of its path is a file or a link, or longer ` +
          'than 255 bytes.',
        { cause: error },
      );
    }
  }

  #notFound(key: string): StoreError {
    return new StoreError('NotFound', `There is no object "${key}" in ${this.name}.`);
  }

  #checkAborted(key: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted !== true) return;
    throw new StoreError('Aborted', `The request for "${key}" was aborted.`, {
      cause: signal.reason,
    });
  }
}
