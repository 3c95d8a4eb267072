import { openPlainFile, readFully } from './plain-file.js';

/**
 * What follows the bytes of a blob in its partial file: a magic and the size of a part, then an entry
 * per part: a state, and the part's SHA-256 once it was taken.
 */

const MAGIC = Buffer.from('LFSPART1', 'latin1');

/** Bytes before the entries. */
export const HEADER_BYTES = 16;

/** Bytes of a SHA-256. */
export const HASH_BYTES = 32;

/** Bytes of an entry. */
export const ENTRY_BYTES = 1 + HASH_BYTES;

/** States of a part in its entry. */
export const ABSENT = 0;
export const WRITTEN = 1;
export const HASHED = 2;

/** Sizes of one partial blob. */
export interface PartialGeometry {
  /** Bytes of the whole blob. */
  readonly size: number;
  /** Bytes of a part. */
  readonly partSize: number;
}

/** Bytes of the whole trailer. */
export function trailerBytes({ size, partSize }: PartialGeometry): number {
  return HEADER_BYTES + Math.ceil(size / partSize) * ENTRY_BYTES;
}

/** How a trailer begins. */
export function trailerHeader({ partSize }: Pick<PartialGeometry, 'partSize'>): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(partSize, MAGIC.length);
  return bytes;
}

/** What {@link readTrailer} found. */
export interface PartialTrailer {
  readonly partSize: number;
  readonly entries: readonly { readonly state: number; readonly hash: Buffer }[];
}

/**
 * Read the trailer of a partial file of a blob of `size` bytes; undefined when it is none, or not
 * ours; `unfinished` when a process died while it made the file, or made it complete.
 * @throws system errors
 */
export async function readTrailer(
  path: string,
  size: number,
): Promise<PartialTrailer | 'unfinished' | undefined> {
  const found = await openPlainFile(path);
  if (typeof found === 'string') return undefined;
  const { file, stat } = found;
  try {
    const length = Number(stat.size) - size;
    if (length === 0 || stat.size === 0n) return 'unfinished';
    if (length < HEADER_BYTES) return undefined;
    const header = Buffer.alloc(HEADER_BYTES);
    await readFully(file, header, size);
    if (header.every((byte) => byte === 0)) return 'unfinished';
    const partSize = header.readUInt32LE(MAGIC.length);
    if (!header.equals(trailerHeader({ partSize })) || partSize === 0) return undefined;
    if (length !== trailerBytes({ size, partSize })) return undefined;
    const rest = Buffer.alloc(length - HEADER_BYTES);
    await readFully(file, rest, size + HEADER_BYTES);
    const entries = Array.from({ length: rest.length / ENTRY_BYTES }, (_, index) => ({
      state: rest[index * ENTRY_BYTES] ?? ABSENT,
      hash: rest.subarray(index * ENTRY_BYTES + 1, (index + 1) * ENTRY_BYTES),
    }));
    return { partSize, entries };
  } finally {
    await file.close();
  }
}

/** Bytes of a blob of `size` bytes that its trailer says are there. */
export function presentBytes({ partSize, entries }: PartialTrailer, size: number): number {
  return entries.reduce(
    (sum, { state }, index) =>
      state === ABSENT ? sum : sum + Math.min(partSize, size - index * partSize),
    0,
  );
}
