/** What can go wrong at the fault proxy, and for which requests. */

export type Operation = 'LIST' | 'GET' | 'HEAD' | 'PUT' | 'COPY' | 'DELETE' | 'OTHER';

/** One request as the proxy saw it; `status` and `bytes` fill in while it is answered. */
export interface SeenRequest {
  readonly method: string;
  readonly operation: Operation;
  readonly bucket: string;
  /** Decoded key; for a LIST its prefix. */
  readonly key: string;
  readonly query: URLSearchParams;
  /** The `Range` header. */
  readonly range: string | undefined;
  /** The `If-Match` and `If-None-Match` headers. */
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** Status sent to the client; undefined as long as (or because) none was. */
  status: number | undefined;
  /** Body bytes sent to the client. */
  bytes: number;
}

/** Which requests a fault is for; what is left out matches everything. */
export interface Matcher {
  readonly operation?: Operation | readonly Operation[];
  /** The whole key, or a pattern somewhere in it. */
  readonly key?: string | RegExp;
  readonly where?: (request: SeenRequest) => boolean;
  /** Leave this many matching requests alone first. */
  readonly skip?: number;
  /** Then hit this many; default all. */
  readonly times?: number;
}

export type Fault =
  /** Flip one bit of the object's byte at `offset`, wherever a body carries it. */
  | { readonly kind: 'flipBit'; readonly offset: number; readonly bit?: number }
  /** End the body after so many bytes; the length header is the true one or `adjusted` to fit. */
  | { readonly kind: 'truncate'; readonly after: number; readonly adjusted?: boolean }
  | { readonly kind: 'hangBeforeHead' }
  | { readonly kind: 'hangMidBody'; readonly after: number }
  /** Answer with a status (and an S3 error code) of our own. */
  | { readonly kind: 'status'; readonly status: number; readonly code?: string }
  /** Close the connection without an answer. */
  | { readonly kind: 'drop' }
  /** Pass the answer on under another ETag (quotes included). */
  | { readonly kind: 'etag'; readonly etag: string }
  /** Wait before the request is passed on. */
  | { readonly kind: 'delay'; readonly ms: number };

/** A fault with its matcher and how often it was met. */
export class ArmedFault {
  #met = 0;
  #hits = 0;

  constructor(
    readonly fault: Fault,
    readonly matcher: Matcher,
  ) {}

  /** How many requests it has hit. */
  get hits(): number {
    return this.#hits;
  }

  /** Whether the fault is for this request; counts it. */
  strikes(request: SeenRequest): boolean {
    const { operation, key, where, skip = 0, times = Infinity } = this.matcher;
    if (operation !== undefined && ![operation].flat().includes(request.operation)) return false;
    if (typeof key === 'string' && key !== request.key) return false;
    if (key instanceof RegExp && !key.test(request.key)) return false;
    if (where?.(request) === false) return false;
    this.#met++;
    const strikes = this.#met > skip && this.#met <= skip + times;
    if (strikes) this.#hits++;
    return strikes;
  }
}

/** Read a path-style S3 request. */
export function seeRequest(
  method: string,
  url: string,
  headers: NodeJS.Dict<string | string[]>,
): SeenRequest {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
  const [, bucket = '', rest = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  const text = (name: string) => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const isList = method === 'GET' && rest === '' && bucket !== '';
  return {
    method,
    operation: isList ? 'LIST' : operationOf(method, text('x-amz-copy-source') !== undefined),
    bucket,
    key: isList ? (query.get('prefix') ?? '') : decodeURIComponent(rest),
    query,
    range: text('range'),
    ifMatch: text('if-match'),
    ifNoneMatch: text('if-none-match'),
    status: undefined,
    bytes: 0,
  };
}

function operationOf(method: string, copies: boolean): Operation {
  if (method === 'PUT') return copies ? 'COPY' : 'PUT';
  return method === 'GET' || method === 'HEAD' || method === 'DELETE' ? method : 'OTHER';
}
