import { resolve } from 'node:path';
import { SourceError } from './source-error.js';

/** What the query of an `s3://` source may say. */
export interface S3Parameters {
  /** Address of an S3-compatible server; absent for AWS, or where the SDK's environment names one. */
  readonly endpoint?: string;
  /** Absent: the SDK's configuration decides, else `us-east-1`. */
  readonly region?: string;
  /** Bucket in the path and not in the host name. Default: true where an endpoint is named. */
  readonly pathStyle: boolean;
  /** Send unsigned requests. */
  readonly anonymous: boolean;
  /** Absolute path of a PEM file with certificates to trust besides the usual ones. */
  readonly ca?: string;
  /** Profile of the SDK's configuration files. */
  readonly profile?: string;
}

const NAMES = ['endpoint', 'region', 'pathStyle', 'anonymous', 'ca', 'profile'] as const;
type Name = (typeof NAMES)[number];

/** Parameter names by which people try to pass secrets. */
const SECRET = /key|secret|token|password|credential/i;
const EXAMPLE = 's3://my-bucket?endpoint=https://s3.example.com&region=eu-west-1';

/** @throws SourceError */
export function parseParameters(query: string, env: NodeJS.ProcessEnv): S3Parameters {
  const given = readQuery(query);
  const endpoint = given.get('endpoint');
  const region = given.get('region');
  const ca = given.get('ca');
  const profile = given.get('profile');
  const anonymous = readBoolean('anonymous', given.get('anonymous')) ?? false;
  if (anonymous && profile !== undefined) {
    throw new SourceError(
      '"anonymous=true" sends no credentials, so "profile" has no meaning beside it: remove one.',
    );
  }
  if (endpoint !== undefined) checkEndpoint(endpoint);
  if (region !== undefined && !/^[A-Za-z0-9-]+$/.test(region)) {
    throw new SourceError(`"${region}" cannot be a region. Write it as in region=eu-west-1.`);
  }
  const elsewhere = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    pathStyle:
      readBoolean('pathStyle', given.get('pathStyle')) ??
      (endpoint !== undefined || elsewhere !== undefined),
    anonymous,
    // Absolute, because a daemon leaves the directory it was started in.
    ...(ca !== undefined && { ca: resolve(ca) }),
    ...(profile !== undefined && { profile }),
  };
}

function readQuery(query: string): Map<Name, string> {
  const given = new Map<Name, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const [rawName = '', ...rest] = part.split('=');
    const name = NAMES.find((known) => known === rawName);
    // Values stay out of these messages: an unknown parameter may hold a secret.
    if (name === undefined) throw new SourceError(unknownParameter(rawName));
    if (given.has(name)) throw new SourceError(`"${name}" is given twice: keep one.`);
    given.set(name, decodeValue(name, rest.join('=')));
  }
  return given;
}

function unknownParameter(name: string): string {
  if (SECRET.test(name)) {
    return (
      `"${name}" looks like a credential, and credentials do not belong in a URL, where process ` +
      'lists and logs show them: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a ' +
      'profile with "profile=…".'
    );
  }
  const meant = NAMES.find(
    (known) => known.toLowerCase() === name.replace(/[_-]/g, '').toLowerCase(),
  );
  const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`;
  return `"${name}" is not a parameter of an s3 source.${hint} Known are ${NAMES.join(', ')}, as in ${EXAMPLE}`;
}

function decodeValue(name: Name, raw: string): string {
  let value: string;
  try {
    value = decodeURIComponent(raw);
  } catch (cause) {
    throw new SourceError(
      `The value of "${name}" is not valid percent-encoding. Write a "%" that is meant as such as %25.`,
      { cause },
    );
  }
  if (value === '' || value.includes('\0')) {
    throw new SourceError(`"${name}" has no usable value. Give one or remove it, as in ${EXAMPLE}`);
  }
  return value;
}

function readBoolean(name: Name, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw new SourceError(`"${name}" is either true or false, as in ${name}=true; it is "${value}".`);
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (endpoint.includes('@')) {
    throw new SourceError(
      'The endpoint contains a user name or a password. Credentials do not belong in a URL: set ' +
        'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with "profile=…".',
    );
  }
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === undefined || !isHttp || url.hostname === '' || url.search !== '' || url.hash !== '') {
    const hint = isHttp ? '' : ` Did you mean https://${endpoint.replace(/^\w*:?\/\//, '')}?`;
    throw new SourceError(
      `The endpoint "${endpoint}" is not the address of a server.${hint} Write it with http:// or ` +
        `https://, and with the port if it has one, as in ${EXAMPLE}`,
    );
  }
}
