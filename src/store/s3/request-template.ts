import type { SdkRequest } from './request-handler.js';
import { encode } from './request-handler.js';

/** What the GETs of a bucket's objects have in common: where they go and how they are signed. */
export interface RequestTemplate {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: number | undefined;
  /** The path up to the key. */
  readonly root: string;
  readonly query: Readonly<Record<string, string>>;
  readonly host: string;
  readonly signing: Signing;
}

/** What the SDK's signer is told, besides its own configuration. */
export interface Signing {
  readonly region: string;
  readonly service: string;
  /** The SDK's description of how the endpoint wants to be signed for. */
  readonly authScheme: Readonly<Record<string, unknown>>;
}

/** Headers that depend on what is asked. */
const ASKING = new Set(['range', 'if-match', 'if-none-match']);

/**
 * The template of a GET that the SDK has built and not yet signed.
 * @param request of the SDK, for the object `key`
 * @param context the SDK's, of the same request
 * @returns undefined where the request has more to it than we know how to repeat: another signing
 *   than version 4 for one region, session tokens of directory buckets, further headers
 */
export function readTemplate(
  request: SdkRequest,
  context: object,
  key: string,
): RequestTemplate | undefined {
  const { method, protocol, hostname, port, path, body } = request;
  const tail = `/${encodeKey(key)}`;
  const { host, ...others } = request.headers;
  const query = plainQuery(request.query);
  const signing = readSigning(context);
  if (
    method !== 'GET' ||
    body !== undefined ||
    !path.endsWith(tail) ||
    host === undefined ||
    !Object.keys(others).every((name) => ASKING.has(name)) ||
    query === undefined ||
    signing === undefined
  ) {
    return undefined;
  }
  const root = path.slice(0, path.length - tail.length + 1);
  return { protocol, hostname, port, root, query, host, signing };
}

/** A key as it is part of a path. */
export function encodeKey(key: string): string {
  return key.split('/').map(encode).join('/');
}

/** What the SDK puts into a GET's query itself, and nothing that it was asked for. */
function plainQuery(query: SdkRequest['query'] = {}): Readonly<Record<string, string>> | undefined {
  const id = query['x-id'];
  if (Object.keys(query).length > (id === undefined ? 0 : 1)) return undefined;
  if (id === undefined) return {};
  return typeof id === 'string' ? { 'x-id': id } : undefined;
}

function readSigning(context: object): Signing | undefined {
  if (read(context, 's3ExpressIdentity') !== undefined) return undefined;
  const schemes = read(context, 'authSchemes');
  const authScheme: unknown =
    Array.isArray(schemes) && schemes.length === 1 ? schemes[0] : undefined;
  const selected = read(read(context, '__smithy_context'), 'selectedHttpAuthScheme');
  const option = read(selected, 'httpAuthOption');
  const properties = read(option, 'signingProperties');
  const [region, service] = [read(properties, 'signingRegion'), read(properties, 'signingName')];
  if (
    read(option, 'schemeId') !== SIGV4 ||
    read(authScheme, 'name') !== 'sigv4' ||
    typeof region !== 'string' ||
    region === '*' ||
    typeof service !== 'string'
  ) {
    return undefined;
  }
  return { region, service, authScheme: { ...(authScheme as object) } };
}

/** The SDK's name of signature version 4. */
export const SIGV4 = 'aws.auth#sigv4';

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
