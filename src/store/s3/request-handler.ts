import { ConnectionPool, type PoolOptions } from '../http/pool.js';
import type { HttpRequest } from '../http/request.js';
import type { ResponseBody } from '../http/response-body.js';

/** A request as the SDK gives it to a handler: the parts that are used here. */
export interface SdkRequest {
  readonly method: string;
  /** With its colon. */
  readonly protocol: string;
  /** An IPv6 address has brackets. */
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A response as the SDK wants it. */
export interface SdkResponse {
  readonly statusCode: number;
  readonly reason: string;
  readonly headers: Record<string, string>;
  readonly body: ResponseBody;
}

/** What a request ended with: an answer, or why there is none. */
export type Outcome = { readonly response: SdkResponse } | { readonly error: unknown };

/**
 * What a request ended with that was sent before the SDK was asked to send it. Given to the SDK as an
 * option of `send`, it is the outcome of its first attempt; later ones go to the server.
 */
export class EarlyOutcome {
  #outcome: Outcome | undefined;

  constructor(outcome: Outcome) {
    this.#outcome = outcome;
  }

  /** The outcome, the first time. */
  take(): Outcome | undefined {
    const outcome = this.#outcome;
    this.#outcome = undefined;
    return outcome;
  }

  /** It is over: an answer that nobody took ends, and gives up its connection. */
  discard(): void {
    const outcome = this.take();
    if (outcome !== undefined && 'response' in outcome) outcome.response.body.destroy();
  }
}

/** What the SDK is given with a request, and hands on. */
export interface HandlerOptions {
  readonly abortSignal?: unknown;
  readonly early?: EarlyOutcome;
}

/**
 * Sends what the SDK has signed over our own connections, and leaves everything else to the SDK:
 * its own handler makes a buffer and several events of each 64 KiB of a body, which costs three
 * times the CPU.
 */
export class RequestHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #pool: ConnectionPool;

  constructor(options: PoolOptions) {
    this.#pool = new ConnectionPool(options);
  }

  async handle(
    request: SdkRequest,
    { abortSignal, early }: HandlerOptions = {},
  ): Promise<{ response: SdkResponse }> {
    const outcome = early?.take();
    if (outcome !== undefined) {
      if ('error' in outcome) throw outcome.error;
      return outcome;
    }
    const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
    const { head, body } = await this.#pool.send(readRequest(request), signal);
    const { status: statusCode, reason, headers } = head;
    return { response: { statusCode, reason, headers: { ...headers }, body } };
  }

  /** The SDK may want to change options of its own handler: there is nothing to change here. */
  updateHttpClientConfig(): void {
    return;
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {
    this.#pool.destroy();
  }
}

function readRequest(request: SdkRequest): HttpRequest {
  const { method, protocol, hostname, port, path, query, headers } = request;
  const isTls = protocol === 'https:';
  const search = formatQuery(query);
  return {
    method,
    isTls,
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port ?? (isTls ? 443 : 80),
    target: search === '' ? path : `${path}?${search}`,
    headers: { 'user-agent': 'layoutfs', ...headers },
    body: readBody(request.body),
  };
}

/** Requests of this program and of the SDK's credential providers have their bodies in memory. */
function readBody(body: unknown): Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  throw new TypeError('A request with a stream as its body cannot be sent.');
}

/** As the SDK signs it: sorted, percent-encoded, a name alone where the value is null. */
function formatQuery(query: SdkRequest['query'] = {}): string {
  return Object.keys(query)
    .sort()
    .flatMap((name) => {
      const value = query[name] ?? null;
      if (value === null) return [encode(name)];
      const values = typeof value === 'string' ? [value] : value;
      return values.map((one) => `${encode(name)}=${encode(one)}`);
    })
    .join('&');
}

/** Percent-encoded as the SDK does it in paths and queries: RFC 3986's unreserved characters stay. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
