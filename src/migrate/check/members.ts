import { compareBytes } from '../../registry/inventory/inventory.js';
import type { RepositoryClosure } from '../survey/closure-reader.js';

/** The digests of each repository by number: four bytes each, for lists that are made afterwards. */
export class Members {
  readonly #numbers = new Map<string, Uint32Array>();

  set(repository: string, numbers: Iterable<number>): void {
    this.#numbers.set(repository, Uint32Array.from(numbers));
  }

  /** Which repositories refer to each of `wanted`, told in one pass; bytewise order. */
  whoRefersTo(wanted: ReadonlySet<number>): (number: number) => readonly string[] {
    const found = new Map<number, string[]>();
    if (wanted.size === 0) return () => [];
    for (const [repository, numbers] of this.#numbers) {
      for (const number of numbers) {
        if (!wanted.has(number)) continue;
        const names = found.get(number);
        if (names === undefined) found.set(number, [repository]);
        else names.push(repository);
      }
    }
    return (number) => (found.get(number) ?? []).sort(compareBytes);
  }
}

/** Each digest of a closure once, with every size that is claimed of it. */
export function digestsOf({
  blobs,
}: RepositoryClosure): Map<number, { readonly sizes: number[]; readonly foreign: boolean }> {
  const found = new Map<number, { sizes: number[]; foreign: boolean }>();
  for (const { number, size, foreign } of blobs) {
    const known = found.get(number);
    if (known === undefined) found.set(number, { sizes: [size], foreign });
    else {
      known.sizes.push(size);
      known.foreign &&= foreign;
    }
  }
  return found;
}
