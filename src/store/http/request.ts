/** Writing requests. Names and values are checked: nothing in them may end a line. */

/** A request with everything that is sent; the body, where there is one, is in memory. */
export interface HttpRequest {
  readonly method: string;
  readonly isTls: boolean;
  /** A name or an address; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Path and query as they are sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** Methods whose requests without a body need not say so. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
/** What says how the connection is used, or how long the body is: said here. */
const OURS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect']);

/** Whether sending the same request twice does the same as sending it once (RFC 9110, 9.2.2). */
export function isIdempotent({ method }: HttpRequest): boolean {
  return BODILESS.has(method) || method === 'PUT';
}

/**
 * The head of a request as it is sent, in latin1.
 * @throws TypeError when a part of it cannot be sent
 */
export function formatRequest(request: HttpRequest): string {
  const { method, target, headers, body } = request;
  if (!/^[A-Z]+$/.test(method) || !/^\/[\x21-\x7e]*$/.test(target)) {
    throw new TypeError(`The request line "${method} ${target}" cannot be sent.`);
  }
  let head = `${method} ${target} HTTP/1.1\r\n`;
  let hasLength = false;
  let hasHost = false;
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    if (OURS.has(key)) continue;
    hasLength ||= key === 'content-length';
    hasHost ||= key === 'host';
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new TypeError(`The header "${name}" of a request has characters that cannot be sent.`);
    }
    head += `${name}: ${value}\r\n`;
  }
  if (!hasHost) head += `Host: ${hostOf(request)}\r\n`;
  if (!hasLength && (body !== undefined || !BODILESS.has(method))) {
    head += `Content-Length: ${body?.length ?? 0}\r\n`;
  }
  return `${head}Connection: keep-alive\r\n\r\n`;
}

/** What a request is sent to; requests to the same origin may share a connection. */
export function originOf({ isTls, hostname, port }: HttpRequest): string {
  return `${isTls ? 'https' : 'http'}://${hostname}|${port}`;
}

function hostOf({ isTls, hostname, port }: HttpRequest): string {
  const name = hostname.includes(':') ? `[${hostname}]` : hostname;
  return port === (isTls ? 443 : 80) ? name : `${name}:${port}`;
}
