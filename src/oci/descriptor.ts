import type { Digest } from './digest.js';

/**
 * What layoutfs needs of an OCI content descriptor
 * (https://github.com/opencontainers/image-spec/blob/main/descriptor.md). Documents are served byte
 * for byte as stored; this is only what we read from them.
 */
export interface Descriptor {
  readonly digest: Digest;
  /** Claimed length in bytes. A lie is found out when the blob is opened. */
  readonly size: number;
  /** Empty when the document names none. */
  readonly mediaType: string;
  /** `org.opencontainers.image.ref.name`, the tag. */
  readonly refName?: string;
  /** `urls` of a foreign layer: its bytes may rightly be absent. */
  readonly foreign?: boolean;
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
  readonly artifactType?: string;
}
