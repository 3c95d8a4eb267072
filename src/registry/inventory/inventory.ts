import type { Digest } from '../../oci/digest.js';
import type { LostBlob } from '../registry.js';
import type { CopyTable } from './copy-table.js';

/** What a flat listing of a registry told about the places of blobs. */
export interface Inventory {
  /** Objects with bytes in them, by digest. */
  readonly copies: CopyTable;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
  /** How long the listing took, ms. */
  readonly durationMs: number;
  /** The rest of what the listing told; absent where the inventory was read back from disk. */
  readonly survey?: Survey;
}

/** What only `scan` asks for, and is not kept on disk. */
export interface Survey {
  /** Bytewise order. */
  readonly repositories: readonly string[];
  /** Directories that hold blobs but are no repository, bytewise order. */
  readonly incomplete: readonly string[];
  /** Number of placeholders by directory. */
  readonly placeholders: ReadonlyMap<string, number>;
  readonly lost: readonly LostBlob[];
  readonly keys: number;
  readonly ignored: number;
}

/** Bytewise order of names, as stores list them. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Group (digest, directory) pairs into lost blobs, smallest digest first. */
export function groupLost(pairs: Iterable<{ digest: Digest; directory: string }>): LostBlob[] {
  const directories = new Map<Digest, string[]>();
  for (const { digest, directory } of pairs) {
    const known = directories.get(digest);
    if (known === undefined) directories.set(digest, [directory]);
    else known.push(directory);
  }
  return [...directories]
    .map(([digest, names]) => ({ digest, directories: names.sort(compareBytes) }))
    .sort((a, b) => compareBytes(a.digest, b.digest));
}
