/**
 * Digests: `algorithm:encoded`, as the image spec's descriptor chapter defines them
 * (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests).
 */

/** A digest whose form was checked by {@link parseDigest}. */
export type Digest = string & { readonly __digest: unique symbol };

/** Lengths of `encoded` for the registered algorithms, in hex characters. */
const HEX_LENGTH: Readonly<Record<string, number>> = {
  sha256: 64,
  sha384: 96,
  sha512: 128,
  blake3: 64,
};

/** `algorithm-component *(separator component)` of the spec's grammar. */
const ALGORITHM = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*$/;
const ENCODED = /^[a-zA-Z0-9=_-]+$/;
const HEX = /^[a-f0-9]+$/;

export interface DigestParts {
  readonly algorithm: string;
  readonly encoded: string;
}

/** Whether `encoded` is a possible name below `blobs/<algorithm>/`. */
export function isValidEncoded(algorithm: string, encoded: string): boolean {
  const length = HEX_LENGTH[algorithm];
  if (length !== undefined) return encoded.length === length && HEX.test(encoded);
  return ALGORITHM.test(algorithm) && encoded.length <= 255 && ENCODED.test(encoded);
}

/** Whether `algorithm` is a possible name below `blobs/`. */
export function isValidAlgorithm(algorithm: string): boolean {
  return algorithm.length <= 255 && ALGORITHM.test(algorithm);
}

/** The digest in `text`, or undefined when its form is wrong. Never throws. */
export function parseDigest(text: unknown): Digest | undefined {
  if (typeof text !== 'string') return undefined;
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  return isValidEncoded(text.slice(0, colon), text.slice(colon + 1)) ? (text as Digest) : undefined;
}

/** Split a checked digest into algorithm and encoded part. */
export function digestParts(digest: Digest): DigestParts {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) };
}
