import { isWalkable } from '../../oci/closure.js';
import type { Descriptor } from '../../oci/descriptor.js';
import { OCI_MANIFEST } from '../../oci/media-types.js';
import type { DigestNumbers } from './digest-numbers.js';

/** What of a child is kept beside its digest's number and its size. */
const FOREIGN = 1;
const WALKABLE = 2;

interface Children {
  readonly numbers: Uint32Array;
  readonly sizes: Float64Array;
  readonly flags: Uint8Array;
}

/**
 * What manifests point at, by the number of the manifest's digest: 13 bytes for each child instead
 * of some hundred, for registries with a million of them. Media types are kept only as far as the
 * closure walk looks at them.
 */
export class ChildrenTable {
  readonly #digests: DigestNumbers;
  readonly #children = new Map<number, Children>();

  constructor(digests: DigestNumbers) {
    this.#digests = digests;
  }

  set(manifest: number, children: readonly Descriptor[]): void {
    this.#children.set(manifest, {
      numbers: Uint32Array.from(children, ({ digest }) => this.#digests.number(digest)),
      sizes: Float64Array.from(children, ({ size }) => size),
      flags: Uint8Array.from(
        children,
        (child) => (child.foreign === true ? FOREIGN : 0) | (isWalkable(child) ? WALKABLE : 0),
      ),
    });
  }

  /** Descriptors as far as the closure walk needs them; undefined for an unknown manifest. */
  get(manifest: number): readonly Descriptor[] | undefined {
    const children = this.#children.get(manifest);
    if (children === undefined) return undefined;
    const { numbers, sizes, flags } = children;
    return Array.from(numbers, (number, position) => {
      const flag = flags[position] ?? 0;
      return {
        digest: this.#digests.digest(number),
        size: sizes[position] ?? 0,
        mediaType: (flag & WALKABLE) === 0 ? 'application/octet-stream' : OCI_MANIFEST,
        ...((flag & FOREIGN) !== 0 && { foreign: true }),
      };
    });
  }
}
