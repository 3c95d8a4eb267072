import type { Descriptor } from '../oci/descriptor.js';

/** The two media types of configs that name a platform. */
export function isImageConfig({ mediaType }: Descriptor): boolean {
  return (
    mediaType === 'application/vnd.oci.image.config.v1+json' ||
    mediaType === 'application/vnd.docker.container.image.v1+json'
  );
}
