import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Digest } from '../../oci/digest.js';
import { CacheDirectoryError, errnoOf } from './errors.js';
import { MARKER, MARKER_TEXT, type Room, ROOMS, shardOf } from './paths.js';
import { isTrusted } from './plain-file.js';

/** What else a directory may hold that a cache is made in. */
const HARMLESS = new Set<string>(['lost+found', MARKER, ...ROOMS]);

/** A directory that was found fit to be a cache. */
export class CacheDirectory {
  readonly path: string;
  readonly #identity: string;

  private constructor(path: string, identity: string) {
    this.path = path;
    this.#identity = identity;
  }

  /**
   * Look at a directory, and make it a cache where it is none yet and `create` allows it.
   * @throws CacheDirectoryError when it is unsafe, somebody else's, or something else
   */
  static async open(directory: string, { create }: { create: boolean }): Promise<CacheDirectory> {
    const path = resolve(directory);
    try {
      if (create) await makeDirectory(path);
      const found = await stat(path, { bigint: true });
      if (!found.isDirectory()) throw new CacheDirectoryError(`${path} is no directory.`);
      if (!isTrusted(found)) throw unsafe(path, Number(found.uid));
      await checkMarker(path, create);
      for (const room of ROOMS) await checkRoom(join(path, room));
      return new CacheDirectory(path, `${found.dev}:${found.ino}`);
    } catch (error) {
      if (error instanceof CacheDirectoryError) throw error;
      throw new CacheDirectoryError(
        `The cache directory ${path} cannot be used (${(error as Error).message}): check its path, or name another with --cache-dir.`,
        { cause: error },
      );
    }
  }

  /**
   * Make sure that the directory is still the one that was opened: were its disk unmounted, another
   * disk would be filled.
   * @throws system errors; ENOENT when it is another one
   */
  async assertPresent(): Promise<void> {
    const { dev, ino } = await stat(this.path, { bigint: true });
    if (`${dev}:${ino}` === this.#identity) return;
    throw Object.assign(new Error(`${this.path} is another directory than before.`), {
      code: 'ENOENT',
    });
  }

  /**
   * Make the directory of a digest's files in one room.
   * @returns its path, and whether it is new
   * @throws system errors
   */
  async makeShard(room: Room, digest: Digest): Promise<string> {
    await this.assertPresent();
    let path = this.path;
    for (const name of [room, ...shardOf(digest)]) {
      const parent = path;
      path = join(path, name);
      try {
        await mkdir(path, 0o700);
        await syncDirectory(parent);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
    }
    return path;
  }
}

/**
 * Make the names in a directory outlive a loss of power.
 * @throws system errors
 */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Node's own `recursive` never ends where mkdir(2) answers ENOENT in a directory that is there. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700);
  } catch (error) {
    const errno = errnoOf(error);
    // A read-only disk says EROFS for a directory that is there, too.
    if (errno === 'EEXIST' || (await isPresent(path))) return;
    if (errno !== 'ENOENT' || (await isPresent(dirname(path)))) throw error;
    await makeDirectory(dirname(path));
    await mkdir(path, 0o700);
  }
}

async function isPresent(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Whole or not at all, whoever else makes the same directory a cache. */
async function checkMarker(path: string, create: boolean): Promise<void> {
  const marker = join(path, MARKER);
  let found = await readMarker(marker);
  if (found === undefined) {
    const others = (await readdir(path)).filter(
      (name) => !HARMLESS.has(name) && !name.startsWith(`${MARKER}.`),
    );
    if (others.length > 0 || !create) {
      throw new CacheDirectoryError(
        `${path} is no cache of layoutfs${others.length > 0 ? `, and holds other files (such as ${others[0] ?? ''})` : ''}: name a directory of its own with --cache-dir.`,
      );
    }
    const temporary = `${marker}.${randomBytes(4).toString('hex')}`;
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(MARKER_TEXT);
      await file.sync();
      await link(temporary, marker).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
    } finally {
      await file.close();
      await unlink(temporary);
    }
    found = await readMarker(marker);
  }
  if (found === MARKER_TEXT) return;
  throw new CacheDirectoryError(
    `${path} holds a cache of another version of layoutfs ("${(found ?? '').trim().slice(0, 60)}"): name another directory with --cache-dir, or delete that one.`,
  );
}

async function readMarker(marker: string): Promise<string | undefined> {
  try {
    const file = await open(
      marker,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const buffer = Buffer.alloc(256);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A link instead of a directory could lead anywhere. */
async function checkRoom(path: string): Promise<void> {
  const found = await lstat(path, { bigint: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined || (found.isDirectory() && isTrusted(found))) return;
  throw new CacheDirectoryError(
    `${path} is no directory that only this user may write to: delete it, or name another directory with --cache-dir.`,
  );
}

function unsafe(path: string, owner: number): CacheDirectoryError {
  const ours = owner === 0 || owner === process.geteuid?.();
  return new CacheDirectoryError(
    ours
      ? `Other users may write to the cache directory ${path}, and could put wrong bytes there: chmod go-w it, or name another with --cache-dir.`
      : `The cache directory ${path} belongs to another user (${owner}), who could put wrong bytes there: name another with --cache-dir.`,
  );
}
