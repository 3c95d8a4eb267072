import { HttpProtocolError } from './errors.js';

/** Longest head of a response, interim ones before it and trailers after it included, in bytes. */
export const MAX_HEAD = 32 * 1024;

/** Status line and fields of a response. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** The peer speaks HTTP/1.0. */
  readonly isOld: boolean;
  /** Names in lower case; values of repeated fields joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
}

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible characters, spaces, tabs and bytes above ASCII (RFC 9110, 5.5): no control characters. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields of which a second one means that somebody tries to smuggle. */
const SINGLE = new Set(['content-length', 'transfer-encoding', 'content-range']);
/** Fields that say one thing; as everywhere in Node, the first one counts. */
const FIRST_COUNTS = new Set(['etag', 'content-type', 'last-modified', 'location', 'server']);

/**
 * Read the head of a response (RFC 9112, 4 and 5), strictly: no folded lines, no bare line feeds, no
 * space before a colon.
 * @param text latin1, without the empty line that ends it
 * @throws HttpProtocolError
 */
export function parseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, status, reason = ''] = STATUS_LINE.exec(first) ?? [];
  if (status === undefined || Number(status) < 100) {
    throw new HttpProtocolError(`the answer begins with ${quote(first)}, which is no HTTP/1.1`);
  }
  return {
    status: Number(status),
    reason,
    isOld: minor === '0',
    headers: Object.fromEntries(readFields(lines)),
  };
}

/**
 * Header or trailer fields by name.
 * @throws HttpProtocolError
 */
export function readFields(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    const value = trimSpaces(line.slice(colon + 1));
    if (!NAME.test(name) || !VALUE.test(value)) {
      throw new HttpProtocolError(`the answer has the malformed header line ${quote(line)}`);
    }
    const key = name.toLowerCase();
    const before = fields.get(key);
    if (before === undefined) {
      fields.set(key, value);
    } else if (SINGLE.has(key)) {
      throw new HttpProtocolError(`the answer has two headers "${key}"`);
    } else if (!FIRST_COUNTS.has(key)) {
      fields.set(key, `${before}, ${value}`);
    }
  }
  return fields;
}

/** Spaces and tabs only: `trim` would also take what must be refused. */
function trimSpaces(text: string): string {
  return text.replace(/^[\t ]+/, '').replace(/[\t ]+$/, '');
}

function quote(line: string): string {
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line);
}
