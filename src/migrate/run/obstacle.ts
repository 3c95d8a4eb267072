import { digestParts, type Digest } from '../../oci/digest.js';
import { isHashSupported } from '../../oci/hash.js';

/** Why nothing can be done for a digest; a full sentence. */
export function obstacle(digest: Digest, sources: number): string | undefined {
  if (!isHashSupported(digestParts(digest).algorithm)) {
    return 'Its algorithm cannot be computed here, so that no copy could be verified.';
  }
  if (sources === 0) {
    return 'No object has its bytes, only placeholders are stored: it stays as it is.';
  }
  return undefined;
}
