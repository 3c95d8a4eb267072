import type { StoreErrorCode } from '../errors.js';

/** Codes by which Node says that no connection came about. */
const CONNECTION: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: check host and port, and that the server runs',
  ENOTFOUND: 'there is no host of that name: check the name, and the DNS',
  EAI_AGAIN: 'the name could not be looked up: check the DNS',
  EHOSTUNREACH: 'there is no way to that host: check the address and the network',
  ENETUNREACH: 'there is no way to that network: check the address and the network',
  EADDRNOTAVAIL: 'the address cannot be used from here: check the address',
  ETIMEDOUT: 'the host does not answer: check the address, and firewalls on the way',
  ECONNRESET:
    'the server closed the connection without an answer: is it https where http was meant?',
  EPIPE: 'the server closed the connection without an answer: is it https where http was meant?',
};

const UNTRUSTED =
  'its certificate is not trusted here: name the certificate authority\'s PEM file with "ca=…" in the source';

/** OpenSSL's verify results, and Node's own TLS errors, as `error.code` has them. */
const TLS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_HAS_EXPIRED: "its certificate has expired: renew it, or check this host's clock",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: check this host's clock",
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another host name: use the name that the certificate has',
  EPROTO:
    'it does not speak TLS as expected: if it serves http only, write endpoint=http://… in the source',
};

/**
 * Code and sentence when `error` (or one of its causes) came from the network and not from a
 * server's answer; undefined otherwise.
 */
export function networkFailure(error: unknown): [StoreErrorCode, string] | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; depth++) {
    const explained = explain(cause);
    if (explained !== undefined) return explained;
    cause = cause.cause;
  }
  return undefined;
}

function explain(error: Error): [StoreErrorCode, string] | undefined {
  const fields = error as Error &
    Partial<Record<'code' | 'hostname' | 'host' | 'address' | 'port', unknown>>;
  const code = typeof fields.code === 'string' ? fields.code : '';
  const host = [fields.hostname, fields.host, fields.address].find((x) => typeof x === 'string');
  const port = typeof fields.port === 'number' ? `:${fields.port}` : '';
  const where = host === undefined ? 'the endpoint' : `${host}${port}`;
  const reason =
    CONNECTION[code] ?? TLS[code] ?? (/^ERR_(SSL|TLS)_/.test(code) ? TLS['EPROTO'] : undefined);
  if (reason !== undefined)
    return ['Unreachable', `${where} cannot be reached (${code}); ${reason}`];
  return error.name === 'TimeoutError' ? ['Timeout', 'the server stopped answering'] : undefined;
}
