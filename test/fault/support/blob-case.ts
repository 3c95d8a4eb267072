import { sha256 } from '../../images/corpus.js';
import { blobPath, type FaultImage, makeImage, seededBytes, sharedKey } from './images.js';

/** One layer, in an image of its own, for one test. */
export interface BlobCase {
  readonly bytes: Buffer;
  readonly digest: string;
  /** The digest without its algorithm. */
  readonly hex: string;
  /** Where the bucket has it. */
  readonly key: string;
  readonly image: FaultImage;
  /** Where a repository of a mount shows it. */
  pathIn(mountpoint: string, repository: string): string;
  /** `<count> <sha256>` of a part: what a held file answers when it reads it right. */
  part(offset: number, length: number): string;
}

/** A layer of `size` bytes that nobody else uses. */
export function blobCase(name: string, size: number): BlobCase {
  const bytes = seededBytes(name, size);
  const digest = sha256(bytes);
  return {
    bytes,
    digest,
    hex: digest.slice('sha256:'.length),
    key: sharedKey(digest),
    image: makeImage(name, [bytes]),
    pathIn: (mountpoint, repository) => `${mountpoint}/${blobPath(repository, digest)}`,
    part: (offset, length) => {
      const part = bytes.subarray(offset, offset + length);
      return `${part.length} ${sha256(part).slice('sha256:'.length)}`;
    },
  };
}
