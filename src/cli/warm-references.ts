import picomatch from 'picomatch';
import { UsageError } from '../config/usage-error.js';
import type { Descriptor } from '../oci/descriptor.js';
import { type Digest, parseDigest } from '../oci/digest.js';
import type { Platform } from './image-platform.js';

/** Which images a person means. */
export interface ImageReference {
  /** As it was written. */
  readonly text: string;
  /** Whether it names one thing, which must then be there. */
  readonly isExact: boolean;
  /** The repository, where it is not a glob. */
  readonly repository?: string;
  readonly digest?: Digest;
  matchesRepository(name: string): boolean;
  /** Whether an entry of `index.json` is meant; by its digest only {@link digest} tells. */
  matchesTag(descriptor: Descriptor): boolean;
}

/** A name may begin with a dot or an exclamation mark: both are ordinary characters here. */
const GLOB_OPTIONS = { dot: true, nonegate: true } as const;

/** All images of all repositories. */
export const ALL_IMAGES: ImageReference = {
  text: '--all',
  isExact: false,
  matchesRepository: () => true,
  matchesTag: () => true,
};

/**
 * Read `repository`, `repository:tag` or `repository@digest`; repository and tag may be globs.
 * @throws UsageError
 */
export function parseReference(text: string): ImageReference {
  const at = text.indexOf('@');
  const colon = text.lastIndexOf(':', at < 0 ? undefined : at);
  const hasTag = at < 0 && colon > text.lastIndexOf('/');
  const end = at >= 0 ? at : hasTag ? colon : text.length;
  const beforeTag = text.slice(0, at < 0 ? end : colon > text.lastIndexOf('/', at) ? colon : end);
  const name = beforeTag.replace(/^\/+|\/+$/g, '');
  const tag = hasTag ? text.slice(colon + 1) : undefined;
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (text === '' || tag === '' || (at >= 0 && digest === undefined)) {
    throw new UsageError(
      `"${text}" names no image: write repository, repository:tag or repository@sha256:…`,
    );
  }
  const isGlob = picomatch.scan(name).isGlob;
  const ofName = isGlob ? picomatch(name, GLOB_OPTIONS) : (other: string) => other === name;
  const ofTag = tag === undefined ? () => true : picomatch(tag, GLOB_OPTIONS);
  return {
    text,
    isExact: !isGlob && (tag === undefined || !picomatch.scan(tag).isGlob),
    ...(!isGlob && { repository: name }),
    ...(digest !== undefined && { digest }),
    matchesRepository: ofName,
    matchesTag: ({ refName }) => tag === undefined || (refName !== undefined && ofTag(refName)),
  };
}

/**
 * Read `os/architecture` or `os/architecture/variant`, as docker and skopeo users write it.
 * @throws UsageError
 */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant, ...rest] = text.split('/');
  if (os === '' || architecture === '' || variant === '' || rest.length > 0) {
    throw new UsageError(`--platform: "${text}" is no platform: write it as linux/arm64.`);
  }
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

/** Whether something for `platform` is wanted; a wanted platform without variant takes all. */
export function isWanted(wanted: readonly Platform[], platform: Platform): boolean {
  return wanted.some(
    ({ os, architecture, variant }) =>
      os === platform.os &&
      architecture === platform.architecture &&
      (variant === undefined || variant === platform.variant),
  );
}
