import { describe, expect, it } from 'vitest';
import { HttpProtocolError } from './errors.js';
import type { Framing } from './framing.js';
import { MAX_HEAD, type ResponseHead } from './response-head.js';
import { ResponseReader } from './response-reader.js';

/** What became of received bytes; the same however they were split. */
interface Outcome {
  status?: number;
  reason?: string;
  headers?: Record<string, string>;
  framing?: Framing;
  body: string;
  ended: boolean;
  /** Bytes after the end of the response. */
  beyond: number;
  failed: boolean;
}

/** Feed `bytes` in pieces that end at `cuts`, and then the end of the connection if `closed`. */
function readPieces(bytes: Buffer, cuts: readonly number[], method = 'GET', closed = false) {
  let head: ResponseHead | undefined;
  let framing: Framing | undefined;
  const body: Buffer[] = [];
  let beyond = 0;
  let failed = false;
  const reader = new ResponseReader(method, {
    head: (found, how) => {
      expect(head).toBeUndefined();
      head = found;
      framing = how;
    },
    body: (part) => {
      expect(part.length).toBeGreaterThan(0);
      body.push(Buffer.from(part));
    },
  });
  try {
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      // A copy that is overwritten afterwards, as the memory of a socket is.
      const piece = Buffer.from(bytes.subarray(from, to));
      beyond += piece.length - (piece.length === 0 ? 0 : reader.read(piece));
      piece.fill(0x2a);
      from = to;
    }
    if (closed) reader.finish();
  } catch (error) {
    expect(error).toBeInstanceOf(HttpProtocolError);
    failed = true;
  }
  const outcome: Outcome = {
    ...(head !== undefined && {
      status: head.status,
      reason: head.reason,
      headers: { ...head.headers },
    }),
    ...(framing !== undefined && { framing }),
    body: Buffer.concat(body).toString('latin1'),
    ended: reader.ended,
    beyond: failed ? 0 : beyond,
    failed,
  };
  return outcome;
}

const everyByte = (bytes: Buffer) => Array.from({ length: bytes.length }, (_, i) => i);

/** Small, and the same in every run. */
function randomness(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The outcome of reading `text`, checked to be the same whole, byte by byte and in random pieces. */
function read(text: string, method = 'GET', closed = false): Outcome {
  const bytes = Buffer.from(text, 'latin1');
  const whole = readPieces(bytes, [], method, closed);
  expect(readPieces(bytes, everyByte(bytes), method, closed)).toEqual(whole);
  const random = randomness(text.length);
  for (let round = 0; round < 5; round++) {
    const cuts = Array.from({ length: 4 }, () => random(bytes.length + 1)).sort((a, b) => a - b);
    expect(readPieces(bytes, cuts, method, closed)).toEqual(whole);
  }
  return whole;
}

const OK = 'HTTP/1.1 200 OK\r\n';

describe('ResponseReader reads', () => {
  it('a body of known length, and no byte more', () => {
    const outcome = read(`${OK}Content-Length: 5\r\nETag: "e"\r\n\r\nhelloHTTP/1.1`);
    expect(outcome).toEqual({
      status: 200,
      reason: 'OK',
      headers: { 'content-length': '5', etag: '"e"' },
      framing: { kind: 'length', length: 5 },
      body: 'hello',
      ended: true,
      beyond: 8,
      failed: false,
    });
  });

  it('bytes of the body that never pass through it', () => {
    const reader = new ResponseReader('GET', { head: () => undefined, body: () => undefined });
    reader.read(Buffer.from(`${OK}Content-Length: 10\r\n\r\nabc`));
    expect(reader.plainBytesLeft).toBe(7);
    reader.tookPlain(6);
    expect([reader.plainBytesLeft, reader.ended]).toEqual([1, false]);
    reader.tookPlain(1);
    expect(reader.ended).toBe(true);
  });

  it('chunks, with extensions and trailers', () => {
    const chunked = `${OK}Transfer-Encoding: Chunked\r\n\r\n`;
    const body = '3;a=b\r\nabc\r\n0A \r\n0123456789\r\n000\r\nX-Sum: 1\r\n\r\n';
    expect(read(`${chunked}${body}rest`)).toMatchObject({
      framing: { kind: 'chunked' },
      body: 'abc0123456789',
      ended: true,
      beyond: 4,
    });
    expect(read(`${chunked}0\r\n\r\n`)).toMatchObject({ body: '', ended: true });
    expect(read(`${chunked}3\r\nabc\r\n`, 'GET', true)).toMatchObject({
      body: 'abc',
      ended: false,
    });
  });

  it('a body that ends with the connection, also of HTTP/1.0', () => {
    for (const line of [OK, 'HTTP/1.0 200 OK\r\n']) {
      expect(read(`${line}\r\nabc`)).toMatchObject({ body: 'abc', ended: false });
      expect(read(`${line}\r\nabc`, 'GET', true)).toMatchObject({ body: 'abc', ended: true });
    }
  });

  it('answers without a body, whatever length they name', () => {
    const fields = 'Content-Length: 7\r\n\r\n';
    expect(read(`${OK}${fields}`, 'HEAD')).toMatchObject({ body: '', ended: true });
    for (const status of [204, 304]) {
      const outcome = read(`HTTP/1.1 ${status} \r\n${fields}next`);
      expect(outcome).toMatchObject({ status, reason: '', body: '', ended: true, beyond: 4 });
    }
    expect(read(`${OK}Content-Length: 0\r\n\r\n`)).toMatchObject({ ended: true });
  });

  it('past interim answers', () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n';
    expect(read(`${interim}${OK}Content-Length: 1\r\n\r\nx`)).toMatchObject({
      headers: { 'content-length': '1' },
      body: 'x',
    });
  });

  it('repeated fields, spaces around values, bytes above ASCII, a name like "__proto__"', () => {
    const fields =
      'A: 1\r\na:\t2 \t\r\nB:\r\n__proto__: p\r\nX: \xe9 \xff\r\nETag: 1\r\nETag: 2\r\n';
    const { headers } = read(`${OK}${fields}Content-Length: 0\r\n\r\n`);
    const expected = { a: '1, 2', b: '', ['__proto__']: 'p', x: 'é ÿ', etag: '1' };
    expect(headers).toEqual({ ...expected, 'content-length': '0' });
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
  });

  it('a status line without a reason', () => {
    expect(read('HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n')).toMatchObject({ status: 404 });
  });

  it('a head of the largest size, and none larger', () => {
    const head = (size: number) => {
      const frame = `${OK}Content-Length: 2\r\nX: \r\n\r\n`;
      return frame.replace('X: ', `X: ${'x'.repeat(size - frame.length)}`);
    };
    expect(readPieces(Buffer.from(`${head(MAX_HEAD)}ab`), [])).toMatchObject({ body: 'ab' });
    for (const cuts of [[], [10], [MAX_HEAD - 1], [MAX_HEAD]]) {
      const outcome = readPieces(Buffer.from(`${head(MAX_HEAD + 1)}ab`), cuts);
      expect(outcome.failed).toBe(true);
    }
    const endless = `HTTP/1.1 100 C\r\nX: ${'x'.repeat(1000)}\r\n\r\n`.repeat(40);
    expect(readPieces(Buffer.from(endless), [5000]).failed).toBe(true);
  });
});

describe('ResponseReader refuses', () => {
  const chunked = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
  it.each<[string, string]>([
    ['another protocol', '220 mail.example ESMTP\r\n'],
    ['TLS', '\x15\x03\x03\x00\x02\x02\x46'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a line before the status line', `\r\n${OK}\r\n\r\n`],
    ['a switch to another protocol', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['bare line feeds', 'HTTP/1.1 200 OK\nA: 1\n\nbody\r\n\r\n'],
    ['a bare line feed in a value', `${OK}A: 1\nB: 2\r\n\r\n`],
    ['a bare carriage return', `${OK}A: 1\rB: 2\r\n\r\n`],
    ['a NUL', `${OK}A: 1\0\r\n\r\n`],
    ['a folded line', `${OK}A: 1\r\n more\r\n\r\n`],
    ['a space before the colon', `${OK}Content-Length : 1\r\n\r\n`],
    ['a name with a space', `${OK}A B: 1\r\n\r\n`],
    ['a line without a colon', `${OK}nonsense\r\n\r\n`],
    ['an empty name', `${OK}: 1\r\n\r\n`],
    ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    ['the same length twice', `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`],
    ['a list of lengths', `${OK}Content-Length: 1, 1\r\n\r\n`],
    ['a negative length', `${OK}Content-Length: -1\r\n\r\n`],
    ['a signed length', `${OK}Content-Length: +1\r\n\r\n`],
    ['a hexadecimal length', `${OK}Content-Length: 0x1\r\n\r\n`],
    ['an empty length', `${OK}Content-Length:\r\n\r\n`],
    ['a length beyond all numbers', `${OK}Content-Length: 9999999999999999\r\n\r\n`],
    ['a length beside chunks', `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['chunks beside a length', `${OK}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n`],
    ['chunks of HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['an unknown coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ['two codings', `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['identity', `${OK}Transfer-Encoding: identity\r\n\r\n`],
    ['a chunk without a size', `${chunked}\r\nabc`],
    ['a size with a sign', `${chunked}+3\r\nabc\r\n`],
    ['a size with a prefix', `${chunked}0x3\r\nabc\r\n`],
    ['a size after a space', `${chunked} 3\r\nabc\r\n`],
    ['a size that is no number', `${chunked}zz\r\nabc\r\n`],
    ['a size beyond all numbers', `${chunked}ffffffffffffffff\r\nabc\r\n`],
    ['a size that ends in a line feed', `${chunked}3\nabc\r\n`],
    ['a chunk longer than its size', `${chunked}3\r\nabcd\r\n`],
    ['a chunk without its line end', `${chunked}3\r\nabc3\r\nabc\r\n`],
    ['an endless extension', `${chunked}3;${'x'.repeat(2000)}`],
    ['a control character in an extension', `${chunked}3;a\x01\r\nabc\r\n`],
    ['a malformed trailer', `${chunked}0\r\nA B: 1\r\n\r\n`],
    ['endless trailers', `${chunked}0\r\n${'A: 1\r\n'.repeat(MAX_HEAD / 6 + 1)}\r\n`],
  ])('%s', (_, text) => {
    expect(readPieces(Buffer.from(text, 'latin1'), []).failed).toBe(true);
    const bytes = Buffer.from(text, 'latin1');
    expect(readPieces(bytes, everyByte(bytes)).failed).toBe(true);
  });
});

describe('ResponseReader, with random input', { timeout: 60_000 }, () => {
  const TOKENS = [
    ...['\r\n', '\r', '\n', '\r\n\r\n', ' ', ':', ';', ',', '0', '1', '3', 'a', 'f', '\0', '\xff'],
    ...['HTTP/1.1 200 OK\r\n', 'HTTP/1.0 ', 'HTTP/1.1 100 C\r\n\r\n', 'Content-Length: 3\r\n'],
    ...['Transfer-Encoding: chunked\r\n', 'Connection: close\r\n', '3\r\nabc\r\n', '0\r\n\r\n'],
  ];
  const MESSAGES = [
    `${OK}Content-Length: 3\r\n\r\nabcdef`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\nA: b\r\n\r\nrest`,
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 Partial\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc`,
    'HTTP/1.0 404 Not Found\r\nContent-Type: application/xml\r\n\r\n<Error/>',
  ];

  it('comes to the same result however the bytes are split, and fails in one way only', () => {
    const random = randomness(20);
    const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
    const seen = { ended: 0, failed: 0 };
    for (let round = 0; round < 2000; round++) {
      let text = pick(MESSAGES);
      for (let edits = random(4); edits > 0; edits--) {
        const at = random(text.length + 1);
        const removed = random(3) === 0 ? random(6) : 0;
        text = text.slice(0, at) + (random(4) === 0 ? '' : pick(TOKENS)) + text.slice(at + removed);
      }
      const outcome = read(text, random(10) === 0 ? 'HEAD' : 'GET', random(2) === 0);
      if (outcome.ended) seen.ended++;
      if (outcome.failed) seen.failed++;
    }
    // Else the edits would be too coarse, or too timid, to test anything.
    expect(seen.ended).toBeGreaterThan(250);
    expect(seen.failed).toBeGreaterThan(250);
  });

  it('gives every byte of chunked bodies of any shape', () => {
    const random = randomness(7);
    for (let round = 0; round < 200; round++) {
      const chunks = Array.from({ length: random(6) }, () =>
        Buffer.from(Array.from({ length: 1 + random(40) }, () => random(256))),
      );
      const text = chunks
        .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`)
        .join('');
      const outcome = read(`${OK}Transfer-Encoding: chunked\r\n\r\n${text}0\r\n\r\n`);
      expect(outcome.body).toBe(Buffer.concat(chunks).toString('latin1'));
      expect(outcome.ended).toBe(true);
    }
  });
});
