/**
 * Sorted directory listings. Names and keys are handled here as byte strings: one UTF-16 unit per
 * byte of UTF-8 (what Node calls `latin1`), so that JavaScript's own comparison is the bytewise
 * order in which S3 lists keys.
 */
import { isUtf8 } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { pathIn, splitKey, withDirectory } from './beneath.js';
import { errnoOf } from './failures.js';

/** A string with one unit per byte of its UTF-8 form. */
export type ByteString = string;

/** Names that {@link Directories} never shows: files that a `put` has not finished. */
export const UNFINISHED = '.layoutfs-unfinished-';

export function toBytes(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function fromBytes(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Directories with more names than one page holds are kept for the pages that follow. */
const WORTH_KEEPING = 1000;
const KEPT_NAMES = 2_000_000;
const KEPT_MS = 60_000;

/**
 * Reads directories below a root. A directory is sorted by what its entries are in keys: a file's
 * name, or a directory's name and a slash, so that `a-b/` comes before `a/`.
 */
export class Directories {
  readonly #root: string;
  readonly #kept = new LRUCache<ByteString, readonly ByteString[]>({
    maxSize: KEPT_NAMES,
    sizeCalculation: (names) => names.length + 1,
    ttl: KEPT_MS,
  });

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * The sorted names in `directory` (empty, or ending in a slash): regular files, and directories
   * with a slash at their end; links, devices, FIFOs, sockets and names that are not UTF-8 are left
   * out. An absent directory has no names. `continued` allows names read for an earlier page.
   * @throws StoreError for the root; system errors otherwise.
   */
  async read(directory: ByteString, continued: boolean): Promise<readonly ByteString[]> {
    const kept = continued ? this.#kept.get(directory) : undefined;
    if (kept !== undefined) return kept;
    const components = directory === '' ? [] : splitKey(fromBytes(directory.slice(0, -1)));
    if (components === undefined) return [];
    const names = await this.#read(components);
    if (names.length > WORTH_KEEPING) this.#kept.set(directory, names);
    else this.#kept.delete(directory);
    return names;
  }

  /** Forget what was kept, because something was written. */
  clear(): void {
    this.#kept.clear();
  }

  async #read(components: readonly string[]): Promise<readonly ByteString[]> {
    try {
      const entries = await withDirectory(this.#root, components, (directory) =>
        readdir(pathIn(directory), { encoding: 'buffer', withFileTypes: true }),
      );
      return entries.flatMap((entry) => keyPart(entry.name, entry)).sort(compareBytes);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return [];
      throw error;
    }
  }
}

/** Index of the first name in sorted `names` that is greater than `bytes`. */
export function firstAfter(names: readonly ByteString[], bytes: ByteString): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? '') <= bytes) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyPart(name: Buffer, kind: { isFile(): boolean; isDirectory(): boolean }): ByteString[] {
  if (!isUtf8(name)) return [];
  const bytes = name.toString('latin1');
  if (kind.isDirectory()) return [`${bytes}/`];
  return kind.isFile() && !bytes.startsWith(UNFINISHED) ? [bytes] : [];
}

function compareBytes(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
