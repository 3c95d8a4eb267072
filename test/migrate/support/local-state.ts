import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../../../src/oci/digest.js';
import { parseBlobKey } from '../../../src/registry/inventory/blob-key.js';
import { LocalStore } from '../../../src/store/local/local-store.js';
import { localBucket } from '../../support/local-bucket.js';
import { QUICK_DIRECTORY } from '../../support/quick-directory.js';
import type { BucketState } from './bucket-state.js';

/**
 * A bucket in a directory that is looked at past the store, which is many times faster: tests that
 * kill a run at each request look after each of its requests.
 */
export class QuickBucket {
  readonly store: LocalStore;

  private constructor(readonly directory: string) {
    this.store = new LocalStore({ kind: 'file', root: directory, prefix: '' });
  }

  static async make(objects: Readonly<Record<string, string | Uint8Array>>): Promise<QuickBucket> {
    const { directory } = await localBucket(objects, QUICK_DIRECTORY);
    return new QuickBucket(directory);
  }

  /** Another bucket with the same objects. */
  clone(): QuickBucket {
    const directory = mkdtempSync(join(QUICK_DIRECTORY, 'layoutfs-bucket-'));
    cpSync(this.directory, directory, { recursive: true, preserveTimestamps: true });
    return new QuickBucket(directory);
  }

  /** As `stateOf`. */
  state(): BucketState {
    const state: BucketState = {};
    for (const [key, bytes] of this.#objects()) {
      state[key] = `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
    }
    return state;
  }

  /** As `digestsWithContent`. */
  digests(): Set<Digest> {
    const digests = new Set<Digest>();
    for (const [key, bytes] of this.#objects()) {
      const digest = parseBlobKey(key)?.digest;
      const [algorithm = '', encoded] = digest?.split(':') ?? [];
      if (digest === undefined) continue;
      if (createHash(algorithm).update(bytes).digest('hex') === encoded) digests.add(digest);
    }
    return digests;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  *#objects(): Generator<[string, Buffer]> {
    const entries = readdirSync(this.directory, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile() || entry.name.startsWith('.layoutfs-unfinished-')) continue;
      const path = join(entry.parentPath, entry.name);
      const key = path.slice(this.directory.length + 1);
      if (!key.startsWith('_layoutfs/')) yield [key, readFileSync(path)];
    }
  }
}
