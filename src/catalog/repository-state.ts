import type { Digest } from '../oci/digest.js';
import { type IndexSnapshot, removedDescriptors } from './index-snapshot.js';
import type { Manifests } from './manifests.js';
import { type Member, Membership } from './membership.js';

/** How long a superseded version's blobs are still found by name, in ms. */
export const RETIRED_FOR = 600_000;

interface RetiredVersion {
  readonly snapshot: IndexSnapshot;
  /** What the next version no longer had. */
  readonly removed: Membership;
  readonly supersededAt: number;
}

/**
 * A repository as the catalog knows it: its current index, what that reaches, and what superseded
 * versions reached, for readers in the middle of an image.
 */
export class RepositoryState {
  readonly repository: string;
  readonly #manifests: Manifests;
  #snapshot: IndexSnapshot;
  #membership: Membership;
  /** Oldest first. */
  #retired: RetiredVersion[] = [];
  /** Opens by version. */
  readonly #opens = new Map<string, number>();
  /** When the store last confirmed the snapshot, or failed to; ms, monotonic. */
  checkedAt = 0;
  /** The store failed at the last revalidation. */
  stale = false;

  constructor(snapshot: IndexSnapshot, manifests: Manifests) {
    this.repository = snapshot.repository;
    this.#manifests = manifests;
    this.#snapshot = snapshot;
    this.#membership = new Membership(this.repository, snapshot.descriptors, manifests);
  }

  get snapshot(): IndexSnapshot {
    return this.#snapshot;
  }

  /** Approximate memory, in bytes. */
  get weight(): number {
    const retired = this.#retired.reduce((sum, { removed }) => sum + removed.size, 0);
    return 1000 + this.#snapshot.bytes.byteLength + 300 * (this.#membership.size + retired);
  }

  /** A newer version was read. */
  supersede(next: IndexSnapshot, now: number): void {
    const removed = removedDescriptors(this.#snapshot, next);
    if (removed.length > 0 || this.#opens.has(this.#snapshot.version)) {
      this.#retired.push({
        snapshot: this.#snapshot,
        removed: new Membership(this.repository, removed, this.#manifests),
        supersededAt: now,
      });
    }
    this.#snapshot = next;
    this.#membership = new Membership(this.repository, next.descriptors, this.#manifests);
    this.#prune(now);
  }

  /** A reader opened this version. */
  opened(version: string): void {
    this.#opens.set(version, (this.#opens.get(version) ?? 0) + 1);
  }

  /** A reader closed this version. */
  closed(version: string): void {
    const left = (this.#opens.get(version) ?? 1) - 1;
    if (left > 0) this.#opens.set(version, left);
    else this.#opens.delete(version);
  }

  /** Whether any version is open. */
  get isOpen(): boolean {
    return this.#opens.size > 0;
  }

  /**
   * The digest in the current closure, in that of a version that is still open, or in one
   * superseded a short while ago.
   * @throws BlobError `unavailable`
   */
  async find(digest: Digest, now: number): Promise<Member | undefined> {
    const member = await this.#membership.find(digest);
    if (member) return member;
    this.#prune(now);
    for (const { removed } of this.#retired.toReversed()) {
      const retired = await removed.find(digest);
      if (retired) return retired;
    }
    return undefined;
  }

  /** The digest in the current closure, as far as that is known. */
  peek(digest: Digest): Member | undefined {
    return this.#membership.peek(digest);
  }

  /** Whether the current closure is known in full. */
  get isWhole(): boolean {
    return this.#membership.isWhole;
  }

  /**
   * The current closure.
   * @throws BlobError `unavailable`
   */
  members(): Promise<readonly Member[]> {
    return this.#membership.all();
  }

  /** Drop what is old; whatever came after a version that is still open stays with it. */
  #prune(now: number): void {
    const firstKept = this.#retired.findIndex(
      ({ snapshot, supersededAt }) =>
        now - supersededAt < RETIRED_FOR || this.#opens.has(snapshot.version),
    );
    this.#retired = firstKept < 0 ? [] : this.#retired.slice(firstKept);
  }
}
