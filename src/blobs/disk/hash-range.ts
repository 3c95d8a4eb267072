import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { Digest } from '../../oci/digest.js';
import { createHasher } from '../../oci/hash.js';

const readAsync = promisify(read);

/** Bytes of a file to be hashed. */
export interface FileRange {
  /** Open for reading until the hash is known. */
  readonly fd: number;
  readonly algorithm: string;
  /** Bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Bytes read at a time: all the memory that a hash takes. */
const CHUNK = 1024 * 1024;

/** What chunks are read into; as many as hashes run at once. */
const spare: Buffer[] = [];

/** Bytes after which a hash tells how far it is. */
const STEP = 32 * 1024 * 1024;

/**
 * The digest of a range of a file, wherever this runs. Undefined where the file is shorter, or the
 * algorithm unknown.
 * @param hashed called now and then with the bytes hashed since the last call
 * @throws system errors
 */
export async function hashRange(
  range: FileRange,
  hashed?: (bytes: number) => void,
): Promise<Digest | undefined> {
  // One after the other would be garbage of a megabyte each.
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  try {
    return await hashInto(buffer, range, hashed);
  } finally {
    spare.push(buffer);
  }
}

async function hashInto(
  buffer: Buffer,
  { fd, algorithm, offset, length }: FileRange,
  hashed?: (bytes: number) => void,
): Promise<Digest | undefined> {
  const hasher = createHasher(algorithm);
  let told = 0;
  for (let done = 0; done < length;) {
    const wanted = Math.min(buffer.length, length - done);
    const { bytesRead } = await readAsync(fd, buffer, 0, wanted, offset + done);
    if (bytesRead === 0) return undefined;
    hasher?.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
    if (done - told < STEP && done < length) continue;
    hashed?.(done - told);
    told = done;
  }
  return hasher?.digest();
}
