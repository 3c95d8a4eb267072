import { BLOB_ROOTS } from '../../registry/zot/blob-roots.js';
import type { ClosureReader, RepositoryClosure } from '../survey/closure-reader.js';
import type { Survey } from '../survey/survey.js';
import type { Move } from './move.js';

/** Which repositories refer to which digests, both as numbers, packed for millions of them. */
export class References {
  readonly #repositories: readonly string[];
  readonly #lists = new Map<number, Uint32Array>();

  /** Closures must be of the repositories of `survey`; each repository once. */
  static async read(
    repositories: readonly string[],
    reader: ClosureReader,
    onClosure: (closure: RepositoryClosure) => void = () => undefined,
  ): Promise<References> {
    const pairs: [digest: number, repository: number][] = [];
    for (const [position, repository] of repositories.entries()) {
      const closure = await reader.read(repository);
      onClosure(closure);
      for (const number of new Set(closure.blobs.map((blob) => blob.number))) {
        pairs.push([number, position]);
      }
    }
    return new References(repositories, pairs);
  }

  private constructor(repositories: readonly string[], pairs: [number, number][]) {
    this.#repositories = repositories;
    pairs.sort(([a, x], [b, y]) => a - b || x - y);
    for (let from = 0; from < pairs.length;) {
      const digest = pairs[from]?.[0] ?? 0;
      let to = from;
      while (pairs[to]?.[0] === digest) to += 1;
      this.#lists.set(
        digest,
        Uint32Array.from(pairs.slice(from, to), ([, repository]) => repository),
      );
      from = to;
    }
  }

  /** The repositories that refer to the digest with this number, in their order. */
  of(digest: number): string[] {
    return Array.from(this.#lists.get(digest) ?? [], (one) => this.#repositories[one] ?? '');
  }
}

/**
 * The moves that give every repository its own whole copy of all that it refers to, without dedupe,
 * and empty the shared directories. Shared blobs to which nobody refers stay where they are, and so
 * do the blobs that repositories have without referring to them.
 */
export function* movesToRepositories(survey: Survey, references: References): Generator<Move> {
  const { blobs } = survey;
  for (let number = 0; number < blobs.digests.size; number += 1) {
    const copies = blobs.copies(number);
    if (copies.length === 0) continue;
    const content = references.of(number);
    yield {
      digest: blobs.digests.digest(number),
      copies,
      content,
      placeholders: [],
      absent: content.length === 0 ? [] : BLOB_ROOTS.filter((root) => !content.includes(root)),
    };
  }
}
