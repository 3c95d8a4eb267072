import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, unlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from './errors.js';
import { type Fingerprint, isSame } from './fingerprint.js';
import { LEASE_MS } from './owner.js';
import { isTrusted } from './plain-file.js';
import { UNFINISHED } from './paths.js';

/**
 * What is remembered about a complete blob, in a small file of its own: its content is the blob's
 * fingerprint, its mtime when the blob was last used, its atime until when somebody has it open. All
 * three are set by us alone, so they mean the same on disks that keep no access times.
 */

const { O_RDONLY, O_NOFOLLOW, O_NOATIME } = constants;

/** A record is shorter, in bytes; what is longer is not ours. */
const MAX_RECORD = 4096;

/**
 * Whether `found` is the file that was recorded at `path`. Unreadable records record nothing.
 */
export async function isRecorded(path: string, found: Fingerprint): Promise<boolean> {
  try {
    // Reading must not touch the atime, which means something here.
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NOATIME);
    try {
      const stat = await file.stat({ bigint: true });
      if (!stat.isFile() || !isTrusted(stat) || stat.size > MAX_RECORD) return false;
      const recorded = JSON.parse(await file.readFile('utf8')) as Partial<Fingerprint> | null;
      return isSame({ ...NOTHING, ...recorded }, found);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SyntaxError || ABSENT.has(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

const NOTHING: Fingerprint = { inode: '', size: -1, mtime: '', ctime: '' };
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM']);

/**
 * Record a file whose bytes were verified. It need not survive a loss of power: without a record the
 * blob is hashed again.
 * @throws system errors
 */
export async function writeRecord(path: string, fingerprint: Fingerprint): Promise<void> {
  const temporary = join(dirname(path), `${UNFINISHED}${randomBytes(8).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(fingerprint)}\n`);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/**
 * Note that the blob is used now, and whether it stays open. Failures do not matter: the blob is
 * thrown out somewhat earlier then, and fetched again.
 */
export async function touchRecord(
  path: string,
  { open: isOpen }: { open: boolean },
): Promise<void> {
  const now = Date.now();
  await utimes(path, (isOpen ? now + LEASE_MS : now) / 1000, now / 1000).catch(() => undefined);
}

/** When a blob was used and whether somebody has it open; undefined without a record. */
export interface BlobUse {
  /** Ms since the epoch. */
  readonly lastUsed: number;
  readonly open: boolean;
}

/**
 * Read a record's times.
 * @throws system errors but those of an absent file
 */
export async function readUse(path: string): Promise<BlobUse | undefined> {
  try {
    const { mtimeMs, atimeMs } = await lstat(path);
    const ahead = atimeMs - Date.now();
    // A clock that was set back must not keep a blob for ever.
    return { lastUsed: mtimeMs, open: ahead > 0 && ahead <= LEASE_MS * 2 };
  } catch (error) {
    if (ABSENT.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
