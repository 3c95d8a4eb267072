import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseParameters, type S3Parameters } from './source-parameters.js';
import { SourceError } from './source-error.js';

export { SourceError } from './source-error.js';

/** A bucket of an S3-compatible server. */
export interface S3Source extends S3Parameters {
  readonly kind: 's3';
  readonly bucket: string;
  /** Where in the bucket to look: no slash at either end, empty for the whole bucket. */
  readonly prefix: string;
}

/** A directory with the same keys as a bucket. */
export interface FileSource {
  readonly kind: 'file';
  /** Absolute path; it is the root of the keys, so {@link FileSource.prefix} is always empty. */
  readonly root: string;
  readonly prefix: '';
}

/** Where a registry's objects are, as the user named it. Never holds credentials. */
export type Source = S3Source | FileSource;

const S3_EXAMPLE = 's3://my-bucket/prefix?endpoint=https://s3.example.com&region=eu-west-1';
const FILE_EXAMPLE = 'file:///srv/registry';

/** Letters, digits, dots, hyphens and (in old buckets) underscores; S3 itself allows 3 to 63. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;

/**
 * Read a source as typed on a command line: an `s3://` URL, a `file:///` URL, or the path of a
 * directory that exists. `env` decides only the default of `pathStyle`.
 * @throws SourceError whose message says what is wrong, what to do, and gives an example.
 */
export function parseSource(text: string, env: NodeJS.ProcessEnv = process.env): Source {
  if (text.includes('\0')) throw new SourceError('A source cannot contain a NUL byte.');
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme === 's3') return parseS3(text, env);
  if (scheme === 'file') return parseFile(text);
  // Before the schemes that are refused: a directory may well be called `a:b`.
  if (isDirectory(text)) return { kind: 'file', root: resolve(text), prefix: '' };
  throw new SourceError(unknownSource(text, scheme));
}

/**
 * The source as a URL that {@link parseSource} reads back to the same value; for messages, status
 * and listings of mounts. There is nothing secret in it.
 */
export function formatSource(source: Source): string {
  if (source.kind === 'file') return `file://${encodePath(source.root)}`;
  const { bucket, prefix, endpoint, region, pathStyle, anonymous, ca, profile } = source;
  const parameters = Object.entries({
    endpoint,
    region,
    pathStyle: pathStyle === (endpoint !== undefined) ? undefined : String(pathStyle),
    anonymous: anonymous ? 'true' : undefined,
    ca,
    profile,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeValue(value)}`]));
  const path = prefix === '' ? '' : `/${encodePath(prefix)}`;
  const query = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  return `s3://${bucket}${path}${query}`;
}

function parseS3(text: string, env: NodeJS.ProcessEnv): S3Source {
  const [, authority = '', path = '', query] =
    /^s3:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i.exec(text) ?? [];
  if (authority.includes('@')) {
    throw new SourceError(
      'The source contains a user name or a password before "@". Credentials do not belong in a ' +
        'URL, where process lists and logs show them: set AWS_ACCESS_KEY_ID and ' +
        `AWS_SECRET_ACCESS_KEY, or name a profile, as in ${S3_EXAMPLE}&profile=registry`,
    );
  }
  if (text.includes('#')) {
    throw new SourceError(`Write "#" in a source as %23, as in s3://my-bucket/a%23b.`);
  }
  if (authority === '') {
    throw new SourceError(`The source names no bucket. Put it after "s3://", as in ${S3_EXAMPLE}`);
  }
  if (!BUCKET.test(authority)) {
    throw new SourceError(
      `"${authority}" cannot be the name of a bucket: a name has letters, digits, dots and ` +
        `hyphens only, and a server's address goes into "endpoint", as in ${S3_EXAMPLE}`,
    );
  }
  return {
    kind: 's3',
    bucket: authority,
    prefix: decode(path, 'prefix').replace(/^\/+|\/+$/g, ''),
    ...parseParameters(query ?? '', env),
  };
}

function parseFile(text: string): FileSource {
  if (/[?#]/.test(text)) {
    throw new SourceError(
      'A file source takes no parameters. Write a "?" or "#" that is part of the path as %3F or ' +
        `%23; a plain one looks like ${FILE_EXAMPLE}`,
    );
  }
  const path = /^file:\/\/(?:localhost)?(\/.*)$/is.exec(text)?.[1];
  if (path === undefined) {
    throw new SourceError(
      'A file source needs an absolute path after three slashes, as in ' +
        `${FILE_EXAMPLE}; for a relative one write the path alone, as in ./registry`,
    );
  }
  return { kind: 'file', root: resolve(decode(path, 'path')), prefix: '' };
}

function unknownSource(text: string, scheme: string | undefined): string {
  if (scheme === 'http' || scheme === 'https') {
    return (
      'An http(s) address is not a source by itself: name the bucket and give the address of its ' +
      `server as "endpoint", as in ${S3_EXAMPLE}`
    );
  }
  if (scheme !== undefined && /^[^:]*:\/\//.test(text)) {
    return (
      `Sources with "${scheme}://" are not known. Give a bucket, as in ${S3_EXAMPLE}, or a ` +
      `directory, as in ${FILE_EXAMPLE}`
    );
  }
  return (
    `There is no directory "${text}" (or it may not be looked at). Give an existing directory, as in ${FILE_EXAMPLE}, or a ` +
    `bucket, as in ${S3_EXAMPLE}`
  );
}

function isDirectory(path: string): boolean {
  if (path === '') return false;
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false;
  }
}

function decode(text: string, what: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Not a percent-encoding of UTF-8: the sentence below says what to do.
  }
  throw new SourceError(
    `The ${what} "${text}" is not valid percent-encoding. Write a "%" that is meant as such as %25.`,
  );
}

/** Encode what would end or change the path; the rest stays readable. */
function encodePath(path: string): string {
  return path.replace(/[%?#\s\p{Cc}]/gu, (character) => encodeURIComponent(character));
}

function encodeValue(value: string): string {
  return value.replace(/[%?#&\s\p{Cc}]/gu, (character) => encodeURIComponent(character));
}
