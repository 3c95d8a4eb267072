/**
 * Names and constants of the OCI image layout
 * (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
 */

export const OCI_LAYOUT_FILE = 'oci-layout';
export const INDEX_FILE = 'index.json';
export const BLOBS_DIRECTORY = 'blobs';

/** The only version of the layout there is. */
export const IMAGE_LAYOUT_VERSION = '1.0.0';

/** The `oci-layout` file we synthesise where a layout lacks one. */
export const OCI_LAYOUT_BYTES: Uint8Array = new TextEncoder().encode(
  JSON.stringify({ imageLayoutVersion: IMAGE_LAYOUT_VERSION }),
);

/**
 * What is odd about an `oci-layout` file, as a full sentence for the log; undefined when nothing
 * is. Odd files are served as stored all the same: readers decide for themselves.
 */
export function inspectOciLayout(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'The oci-layout file is empty.';
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  } catch {
    return 'The oci-layout file is not JSON.';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'The oci-layout file is not a JSON object.';
  }
  const version = (value as { imageLayoutVersion?: unknown }).imageLayoutVersion;
  if (version === undefined) return 'The oci-layout file names no imageLayoutVersion.';
  if (version !== IMAGE_LAYOUT_VERSION) {
    return `The oci-layout file names imageLayoutVersion ${JSON.stringify(version)}; ${IMAGE_LAYOUT_VERSION} was expected.`;
  }
  return undefined;
}
