import type { Blobs } from '../blobs/blobs.js';
import { isBlobError } from '../blobs/errors.js';
import type { BlobName } from '../blobs/finder.js';

/** What an image runs on. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** Configs are a few KiB; a larger one is not read for a listing. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/**
 * The platform that an image's config names
 * (https://github.com/opencontainers/image-spec/blob/main/config.md); undefined where it names
 * none or cannot be read.
 * @throws BlobError `unavailable`
 */
export async function readPlatform(blobs: Blobs, config: BlobName): Promise<Platform | undefined> {
  if (config.size > MAX_CONFIG_BYTES) return undefined;
  try {
    const bytes = await blobs.readAll(config);
    return platformIn(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (isBlobError(error) && error.code !== 'unavailable') return undefined;
    throw error;
  }
}

function platformIn(config: unknown): Platform | undefined {
  if (typeof config !== 'object' || config === null) return undefined;
  const { os, architecture, variant } = config as Readonly<Record<string, unknown>>;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && { variant }) };
}

/** As containers/image and docker write it: `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}
