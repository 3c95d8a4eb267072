import { lstat } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import type { ListOptions, ListPage, ObjectInfo } from '../object-store.js';
import { pathIn, splitKey, withDirectory } from './beneath.js';
import { fromBytes, toBytes, type ByteString, type Directories } from './directories.js';
import { errnoOf } from './failures.js';
import { infoOf } from './info.js';
import { walk } from './walk.js';

/** S3's largest page. */
const LARGEST_PAGE = 1000;

/** `lstat` calls under way at once, per page. */
const STATS_AT_ONCE = 32;

/**
 * One page of a listing. Only the files of the page are looked at; a file that vanishes meanwhile
 * is left out, so a page may hold fewer than asked for and still have a next one.
 */
export async function listPage(
  root: string,
  directories: Directories,
  { prefix, delimiter, token, limit = LARGEST_PAGE, signal }: ListOptions,
): Promise<ListPage> {
  const size = Math.max(1, Math.min(limit, LARGEST_PAGE));
  const found: ByteString[] = [];
  let more = false;
  const keys = walk(directories, {
    prefix: toBytes(prefix),
    delimited: delimiter !== undefined,
    ...(token !== undefined && { after: toBytes(token) }),
  });
  for await (const key of keys) {
    if (signal?.aborted === true) throw aborted(prefix, signal);
    more = found.length === size;
    if (more) break;
    found.push(key);
  }
  const last = found.at(-1);
  return {
    objects: await statAll(root, found.filter((key) => !key.endsWith('/')).map(fromBytes)),
    prefixes: found.filter((key) => key.endsWith('/')).map(fromBytes),
    ...(more && last !== undefined && { next: fromBytes(last) }),
  };
}

/** The objects with these keys, opening each directory once for neighbours. */
async function statAll(root: string, keys: readonly string[]): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for (let from = 0; from < keys.length;) {
    const directory = directoryOf(keys[from] ?? '');
    let to = from + 1;
    while (to < keys.length && directoryOf(keys[to] ?? '') === directory) to++;
    infos.push(...(await statTogether(root, directory, keys.slice(from, to))));
    from = to;
  }
  return infos;
}

async function statTogether(root: string, directory: string, keys: readonly string[]) {
  const components = directory === '' ? [] : splitKey(directory);
  if (components === undefined) return [];
  const infos: ObjectInfo[] = [];
  try {
    await withDirectory(root, components, async (opened) => {
      for (let i = 0; i < keys.length; i += STATS_AT_ONCE) {
        const group = keys.slice(i, i + STATS_AT_ONCE);
        const stats = group.map((key) => statFile(pathIn(opened, key.slice(nameStart(key))), key));
        infos.push(...(await Promise.all(stats)).flat());
      }
    });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return infos;
}

async function statFile(path: string, key: string): Promise<ObjectInfo[]> {
  try {
    const stat = await lstat(path, { bigint: true });
    return stat.isFile() ? [infoOf(key, stat)] : [];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

const nameStart = (key: string) => key.lastIndexOf('/') + 1;
const directoryOf = (key: string) => key.slice(0, Math.max(0, nameStart(key) - 1));

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '');
}

function aborted(prefix: string, signal: AbortSignal): StoreError {
  return new StoreError('Aborted', `Listing "${prefix}" was aborted.`, { cause: signal.reason });
}
