import { type Digest, digestParts } from '../../oci/digest.js';
import { isHashSupported } from '../../oci/hash.js';
import { compareBytes } from '../../registry/inventory/inventory.js';
import type { HashOutcome } from './hash-object.js';
import { type DigestFlags, READ_RIGHT, REFERENCED } from './digest-flags.js';
import type { CorruptObject, UnhashedObject } from './report.js';

/** One object that was read to be hashed. */
export interface HashedObject {
  readonly number: number;
  readonly digest: Digest;
  /** Whole key. */
  readonly key: string;
  readonly outcome: HashOutcome;
}

/** Counts what was read and hashed, and keeps what was not right. */
export class HashedObjects {
  readonly #flags: DigestFlags;
  readonly #wrong: (Omit<CorruptObject, 'otherCopyIsRight' | 'repositories'> & {
    readonly number: number;
  })[] = [];
  readonly #unread: (UnhashedObject & { readonly number: number; readonly supported: boolean })[] =
    [];
  objects = 0;
  bytes = 0;

  constructor(flags: DigestFlags) {
    this.#flags = flags;
  }

  add({ number, digest, key, outcome }: HashedObject): void {
    if (outcome.state === 'absent') return;
    if (outcome.state === 'unread') {
      const supported = isHashSupported(digestParts(digest).algorithm);
      this.#unread.push({ number, digest, key, reason: outcome.reason, supported });
      return;
    }
    this.objects += 1;
    this.bytes += outcome.size;
    if (outcome.state === 'right') this.#flags.set(number, READ_RIGHT);
    else this.#wrong.push({ number, digest, key, size: outcome.size, actual: outcome.actual });
  }

  /** Objects with wrong bytes, of digests that an index reaches or of the others, sorted by key. */
  corrupt(
    referenced: boolean,
    repositoriesOf: (number: number) => readonly string[],
  ): CorruptObject[] {
    return this.#wrong
      .filter(({ number }) => this.#flags.has(number, REFERENCED) === referenced)
      .map(({ number, ...object }) => ({
        ...object,
        otherCopyIsRight: this.#flags.has(number, READ_RIGHT),
        repositories: repositoriesOf(number),
      }))
      .sort((a, b) => compareBytes(a.key, b.key));
  }

  /** Objects that could not be read or hashed, of the same digests or the others, sorted by key. */
  unread(referenced: boolean): UnhashedObject[] {
    return this.#unread
      .filter(({ number, supported }) => {
        return (supported && this.#flags.has(number, REFERENCED)) === referenced;
      })
      .map(({ digest, key, reason }) => ({ digest, key, reason }))
      .sort((a, b) => compareBytes(a.key, b.key));
  }

  /** The digests of both, for who wants to know which repositories reach them. */
  numbers(): Set<number> {
    return new Set([...this.#wrong, ...this.#unread].map(({ number }) => number));
  }
}
