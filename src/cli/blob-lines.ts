import { formatByteSize } from '../config/byte-size.js';
import type { AffectedRepository, DamagedBlob } from '../migrate/check/report.js';
import { someOf } from './report-section.js';

/** A damaged blob and the images that need it. */
export function describeBlob({ digest, sizes, repositories }: DamagedBlob, all: boolean): string[] {
  const images = repositories.flatMap(imagesOf);
  return [`${digest}  ${sizes.map(formatByteSize).join(' or ')}`, `  in ${someOf(images, all)}`];
}

/** `name:tag` or `name@digest`; the name alone where no image could be told. */
function imagesOf({ repository, images }: AffectedRepository): string[] {
  const name = nameOf(repository);
  if (images.length === 0) return [name];
  return images.map((image) =>
    image.startsWith('@') ? `${name}${shortDigest(image)}` : `${name}:${image}`,
  );
}

/** Twelve characters of the hash, as docker shows them; JSON has them all. */
const shortDigest = (digest: string) => digest.slice(0, digest.indexOf(':') + 1 + 12);

/** A repository as people read it. */
export const nameOf = (repository: string) => (repository === '' ? '/' : repository);
