import type { Descriptor } from '../oci/descriptor.js';
import { isWalkable, walkClosure } from '../oci/closure.js';
import type { Digest } from '../oci/digest.js';
import type { Manifests } from './manifests.js';

/** One digest of a closure. */
export interface Member {
  readonly digest: Digest;
  /** Sizes that descriptors claim, in bytes; more than one only where documents lie. */
  readonly sizes: readonly number[];
  /** Every descriptor of it excuses its absence. */
  readonly foreign: boolean;
}

/**
 * Which digests some descriptors reach: answered from what is known, then from manifests that
 * readers have just read, and only then by walking the rest, concurrently and once.
 */
export class Membership {
  readonly #repository: string;
  readonly #manifests: Manifests;
  readonly #roots: readonly Descriptor[];
  readonly #members = new Map<Digest, Member>();
  /** Manifests that were looked up and whose children are not known yet: read before all others. */
  readonly #wanted = new Map<Digest, Descriptor>();
  readonly #walkable = new Map<Digest, Descriptor>();
  readonly #waiting = new Map<Digest, ((member: Member) => void)[]>();
  #walking: Promise<void> | undefined;
  #walked = false;
  /** Manifests that could not be read when the walk came by; others may follow from them. */
  #unread: readonly Descriptor[] = [];
  #walkedAt = 0;

  constructor(repository: string, roots: readonly Descriptor[], manifests: Manifests) {
    this.#repository = repository;
    this.#manifests = manifests;
    this.#roots = roots;
    for (const root of roots) this.#add(root);
  }

  /** Number of digests known so far. */
  get size(): number {
    return this.#members.size;
  }

  /** Whether every digest of the closure is known, and none can follow. */
  get isWhole(): boolean {
    return this.#walked && this.#unread.length === 0;
  }

  /**
   * The member with this digest, or undefined when the closure does not have it.
   * @throws BlobError `unavailable` when a manifest could not be read and the digest may be behind it
   */
  async find(digest: Digest): Promise<Member | undefined> {
    const known = this.#known(digest) ?? this.#expandFromMemory(digest);
    if (known || this.#isComplete) return known;
    return (await this.#readWanted(digest)) ?? this.#findByWalking(digest);
  }

  /** The member with this digest, if it was met already. */
  peek(digest: Digest): Member | undefined {
    return this.#members.get(digest);
  }

  /**
   * The whole closure, manifests first where they come first.
   * @throws BlobError `unavailable`
   */
  async all(): Promise<readonly Member[]> {
    if (!this.#isComplete) await this.#walk();
    return [...this.#members.values()];
  }

  /** Manifests that could not be read are asked for again now and then: they may be restored. */
  get #isComplete(): boolean {
    if (!this.#walked) return false;
    if (this.#unread.length === 0) return true;
    return performance.now() - this.#walkedAt < this.#manifests.retryMs;
  }

  #known(digest: Digest): Member | undefined {
    const member = this.#members.get(digest);
    const manifest = member && this.#walkable.get(digest);
    if (manifest && !this.#walked) this.#wanted.set(digest, manifest);
    return member;
  }

  /** Follow manifests that a reader has just read through the mount: they cost no request. */
  #expandFromMemory(digest: Digest): Member | undefined {
    for (const manifest of this.#wanted.values()) {
      const children = this.#manifests.peek(this.#repository, manifest);
      if (children) this.#expand(manifest, children);
    }
    return this.#known(digest);
  }

  /** Read the manifests that readers asked for before all others of the repository. */
  async #readWanted(digest: Digest): Promise<Member | undefined> {
    const wanted = [...this.#wanted.values()];
    await Promise.all(
      wanted.map(async (manifest) => {
        const children = await this.#manifests.children(this.#repository, manifest);
        this.#expand(manifest, children ?? []);
      }),
    );
    return this.#known(digest);
  }

  #expand(manifest: Descriptor, children: readonly Descriptor[]): void {
    this.#wanted.delete(manifest.digest);
    this.#walkable.delete(manifest.digest);
    for (const child of children) this.#add(child);
  }

  /** Answers as soon as the walk meets the digest; the walk goes on for the next question. */
  async #findByWalking(digest: Digest): Promise<Member | undefined> {
    const met = new Promise<Member>((resolve) => {
      const resolvers = this.#waiting.get(digest) ?? [];
      this.#waiting.set(digest, [...resolvers, resolve]);
    });
    const walked = this.#walk().then(() => this.#known(digest));
    return Promise.race([met, walked]);
  }

  #walk(): Promise<void> {
    this.#walking ??= this.#walkOnce().finally(() => {
      this.#walking = undefined;
      this.#waiting.clear();
    });
    return this.#walking;
  }

  async #walkOnce(): Promise<void> {
    const unread: Descriptor[] = [];
    const readManifest = async (manifest: Descriptor) => {
      const children = await this.#manifests.children(this.#repository, manifest);
      if (children === undefined) unread.push(manifest);
      return children;
    };
    const { limited } = await walkClosure(this.#walked ? this.#unread : this.#roots, readManifest, {
      onDescriptor: (descriptor) => this.#add(descriptor),
    });
    if (limited) this.#manifests.reportLimit(this.#repository, limited);
    this.#unread = unread;
    this.#walkedAt = performance.now();
    this.#walked = true;
    this.#wanted.clear();
    this.#walkable.clear();
  }

  #add(descriptor: Descriptor): void {
    const { digest, size } = descriptor;
    const foreign = descriptor.foreign ?? false;
    const known = this.#members.get(digest);
    const sizes = known?.sizes.includes(size) ? known.sizes : [...(known?.sizes ?? []), size];
    const member = { digest, sizes, foreign: foreign && (known?.foreign ?? true) };
    this.#members.set(digest, member);
    if (!known && isWalkable(descriptor)) this.#walkable.set(digest, descriptor);
    const waiting = this.#waiting.get(digest);
    if (!waiting) return;
    this.#waiting.delete(digest);
    for (const resolve of waiting) resolve(member);
  }
}
