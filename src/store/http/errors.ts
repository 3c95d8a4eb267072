/** The other side does not speak HTTP/1.1, or breaks its framing; the connection is of no more use. */
export class HttpProtocolError extends Error {
  override readonly name = 'HttpProtocolError';
}

/** A body has more bytes than there is room for. */
export class BodyTooLongError extends Error {
  override readonly name = 'BodyTooLongError';
}

/** Where a connection leads, for messages; named as the fields of Node's own network errors. */
export interface Peer {
  readonly hostname: string;
  readonly port: number;
}

/** A failure of the network under HTTP, with a `code` as Node's own errors have it. */
export class HttpConnectionError extends Error {
  readonly hostname: string;
  readonly port: number;

  /** @param name `TimeoutError` is what the SDK tries again */
  constructor(
    override readonly name: 'TimeoutError' | 'HttpConnectionError',
    readonly code: 'ECONNRESET' | 'ETIMEDOUT' | undefined,
    message: string,
    { hostname, port }: Peer,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.hostname = hostname;
    this.port = port;
  }
}

/** What an aborted request rejects with; the SDK does not try that again. */
export function abortError(cause: unknown): Error {
  const error = new Error('The request was aborted.', { cause });
  error.name = 'AbortError';
  return error;
}
