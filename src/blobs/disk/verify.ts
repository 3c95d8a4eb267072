import { type Digest, digestParts } from '../../oci/digest.js';
import { isHashSupported } from '../../oci/hash.js';
import { removeBlob, removeEntry } from './evict.js';
import { fingerprintOf, isSame } from './fingerprint.js';
import type { HasherThread } from './hasher-thread.js';
import { HASHED, readTrailer } from './partial-trailer.js';
import { recordPath } from './paths.js';
import { openPlainFile } from './plain-file.js';
import { isRecorded, writeRecord } from './record.js';
import type { CacheEntry } from './scan.js';

/** What was found about one file of a cache. */
export type Verdict =
  | 'right'
  /** Its bytes do not hash to its name, or cannot be read. */
  | 'damaged'
  /** No plain file, or one that others may write to. */
  | 'foreign'
  /** It went away, or is being written. */
  | 'passed';

export interface VerifyRequest {
  readonly root: string;
  readonly entry: CacheEntry;
  readonly hasher: HasherThread;
  /** Remove what is damaged or foreign, and record anew what is right. */
  readonly repair: boolean;
  /** Called now and then with the bytes hashed since. */
  readonly hashed?: (bytes: number) => void;
}

/**
 * Read one file of a cache in full, and see whether its bytes are right. Of a partial blob, those
 * parts whose hash is known. Mounts may use the cache meanwhile.
 * @throws system errors of the repair
 */
export async function verifyEntry(request: VerifyRequest): Promise<Verdict> {
  const { root, entry, repair } = request;
  if (entry.state === 'foreign') {
    if (repair) await removeEntry(root, entry);
    return 'foreign';
  }
  if (entry.state === 'complete') return verifyBlob(request);
  // Who writes it checks it.
  if (entry.open) return 'passed';
  const verdict = await verifyParts(request);
  if (verdict === 'damaged' && repair) await removeEntry(root, entry);
  return verdict;
}

async function verifyBlob({ root, entry, hasher, repair, hashed }: VerifyRequest) {
  const { digest, path } = entry;
  const { algorithm } = digestParts(digest);
  const found = await openPlainFile(path);
  if (typeof found === 'string' || !isHashSupported(algorithm)) return 'passed';
  const { file, stat } = found;
  try {
    const before = fingerprintOf(stat);
    const range = { fd: file.fd, algorithm, offset: 0, length: before.size };
    const right = await hashes(digest, () => hasher.hash(range, hashed));
    const after = fingerprintOf(await file.stat({ bigint: true }));
    if (!right) {
      if (repair) await removeBlob(root, digest, before.inode);
      return 'damaged';
    }
    const record = recordPath(root, digest);
    if (repair && isSame(before, after) && !(await isRecorded(record, after))) {
      await writeRecord(record, after);
    }
    return 'right';
  } finally {
    await file.close();
  }
}

async function verifyParts({ entry, hasher, hashed }: VerifyRequest): Promise<Verdict> {
  const { path, size } = entry;
  const trailer = await readTrailer(path, size);
  const found = await openPlainFile(path);
  if (found === 'absent') return 'passed';
  if (found === 'foreign') return 'damaged';
  try {
    if (trailer === undefined) return 'damaged';
    if (trailer === 'unfinished') return 'passed';
    for (const [index, { state, hash }] of trailer.entries.entries()) {
      if (state !== HASHED) continue;
      const offset = index * trailer.partSize;
      const length = Math.min(trailer.partSize, size - offset);
      const range = { fd: found.file.fd, algorithm: 'sha256', offset, length };
      const digest = `sha256:${hash.toString('hex')}` as Digest;
      if (!(await hashes(digest, () => hasher.hash(range, hashed)))) return 'damaged';
    }
    return 'right';
  } finally {
    await found.file.close();
  }
}

/** Bytes that cannot be read are as bad as wrong ones. */
async function hashes(digest: Digest, hash: () => Promise<Digest | undefined>): Promise<boolean> {
  try {
    return (await hash()) === digest;
  } catch {
    return false;
  }
}
