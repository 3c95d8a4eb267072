import { HttpProtocolError } from './errors.js';
import type { ResponseHead } from './response-head.js';

/** How the end of a body is found. */
export type Framing =
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  /** The body ends with the connection. */
  | { readonly kind: 'close' };

const NO_BODY: Framing = { kind: 'length', length: 0 };

/**
 * The framing of a response's body, by RFC 9112, 6.3; where that lets a recipient guess (two
 * lengths, a length beside chunks, codings that nobody asked for), the answer is refused.
 * @param method of the request
 * @throws HttpProtocolError
 */
export function framingOf({ status, isOld, headers }: ResponseHead, method: string): Framing {
  const length = headers['content-length'];
  const coding = headers['transfer-encoding'];
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw new HttpProtocolError(`the answer has the length ${JSON.stringify(length)}`);
  }
  if (coding !== undefined) {
    if (length !== undefined || isOld) {
      throw new HttpProtocolError('the answer has two contradictory ways to tell its length');
    }
    if (coding.toLowerCase() !== 'chunked') {
      throw new HttpProtocolError(`the answer has the unknown coding ${JSON.stringify(coding)}`);
    }
  }
  if (method === 'HEAD' || status === 204 || status === 304) return NO_BODY;
  if (coding !== undefined) return { kind: 'chunked' };
  return length === undefined ? { kind: 'close' } : { kind: 'length', length: Number(length) };
}

/** Whether and how long a connection may be used again. */
export interface Persistence {
  readonly isReusable: boolean;
  /** How long the server keeps the connection when nothing is asked, in ms. */
  readonly idleMs?: number;
}

/** A server that says when it will close begins to count before its answer is here. */
const MARGIN_MS = 1000;

/** What a head says about the connection it came over: `Connection`, and `Keep-Alive` where it is sent. */
export function persistenceOf({ isOld, headers }: ResponseHead, framing: Framing): Persistence {
  const options = (headers['connection'] ?? '').toLowerCase().split(/[\t ]*,[\t ]*/);
  const keepAlive = headers['keep-alive'] ?? '';
  const timeout = parameter(keepAlive, 'timeout');
  const left = parameter(keepAlive, 'max');
  const idleMs = timeout === undefined ? undefined : timeout * 1000 - MARGIN_MS;
  const isReusable =
    framing.kind !== 'close' &&
    !options.includes('close') &&
    (!isOld || options.includes('keep-alive')) &&
    left !== 0 &&
    (idleMs === undefined || idleMs > 0);
  return { isReusable, ...(idleMs !== undefined && { idleMs }) };
}

function parameter(header: string, name: 'timeout' | 'max'): number | undefined {
  const value = new RegExp(`(?:^|[,\\t ])${name}=(\\d{1,9})(?:$|[,\\t ])`, 'i').exec(header)?.[1];
  return value === undefined ? undefined : Number(value);
}
