import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { Opcode, Size } from './protocol.js';
import { decodeHeader, decodeRequest, ProtocolError } from './requests.js';

const FIXTURES = new URL('../../../test/fixtures/fuse/requests.json', import.meta.url);
const captured = JSON.parse(readFileSync(FIXTURES, 'utf8')) as Record<string, string>;

/** The bytes of a request that a kernel sent. */
function bytesOf(name: string): Uint8Array {
  const hex = captured[name];
  if (hex === undefined) throw new Error(`There is no captured ${name}.`);
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** A request with this body, as a kernel would send it. */
function requestOf(opcode: number, body: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(Size.IN_HEADER + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, opcode, true);
  view.setUint32(8, 9, true);
  view.setUint32(12, 0x80000000, true);
  view.setUint32(16, 5, true);
  view.setUint32(20, 1, true);
  bytes.set(body, Size.IN_HEADER);
  return bytes;
}

describe('what a kernel has sent', () => {
  test.each([
    [
      'INIT',
      {
        kind: 'init',
        major: 7,
        minor: 45,
        maxReadahead: 131_072,
        flags: 0x73fffffb,
        flags2: 0x5fd,
      },
    ],
    ['LOOKUP', { kind: 'lookup', name: 'repo' }],
    ['LOOKUP of ü', { kind: 'lookup', name: 'ünï cödé' }],
    ['GETATTR', { kind: 'getattr' }],
    ['OPEN', { kind: 'open', flags: 0x8000 }],
    ['OPENDIR', { kind: 'opendir', flags: 0x18800 }],
    ['READ', { kind: 'read', handle: 1, offset: 0, size: 262_144 }],
    ['READDIR', { kind: 'readdir', handle: 1, offset: 2 ** 32 + 6, size: 131_072 }],
    ['READDIRPLUS', { kind: 'readdirplus', handle: 1, offset: 0, size: 131_072 }],
    ['RELEASE', { kind: 'release', handle: 1 }],
    ['RELEASEDIR', { kind: 'releasedir', handle: 1 }],
    ['STATFS', { kind: 'statfs' }],
    [
      'BATCH_FORGET',
      {
        kind: 'forget',
        forgets: [
          { nodeid: 2 ** 40 + 1003, count: 27 },
          { nodeid: 2 ** 40 + 1005, count: 10 },
        ],
      },
    ],
    ['FLUSH', { kind: 'unsupported' }],
    ['FSYNC', { kind: 'unsupported' }],
    ['GETXATTR', { kind: 'unsupported' }],
    ['LISTXATTR', { kind: 'unsupported' }],
    ['IOCTL', { kind: 'unsupported' }],
    ['POLL', { kind: 'unsupported' }],
  ])('%s', (name, body) => {
    expect(decodeRequest(bytesOf(name)).body).toEqual(body);
  });

  test('the header', () => {
    expect(decodeHeader(bytesOf('BATCH_FORGET'))).toMatchObject({ opcode: 42, pid: 0 });
    expect(decodeHeader(bytesOf('OPEN'))).toEqual({
      opcode: 14,
      unique: { low: 0x150, high: 0 },
      nodeid: 2 ** 40 + 1003,
      uid: 0,
      gid: 0,
      pid: 0x3b0c,
    });
  });
});

test('what was not captured', () => {
  const wide = [7, 0, 0, 0, 2, 0, 0, 0];
  expect(decodeRequest(requestOf(Opcode.FORGET, wide))).toMatchObject({
    nodeid: 2 ** 32 + 5,
    unique: { low: 9, high: 0x80000000 },
    body: { kind: 'forget', forgets: [{ nodeid: 2 ** 32 + 5, count: 2 ** 33 + 7 }] },
  });
  expect(decodeRequest(requestOf(Opcode.INTERRUPT, wide)).body).toEqual({
    kind: 'interrupt',
    interrupted: { low: 7, high: 2 },
  });
  expect(decodeRequest(requestOf(Opcode.DESTROY, [])).body).toEqual({ kind: 'destroy' });
  expect(decodeRequest(requestOf(Opcode.READLINK, [])).body).toEqual({ kind: 'readlink' });
  expect(decodeRequest(requestOf(Opcode.MKDIR, wide)).body).toEqual({ kind: 'mutation' });
  expect(decodeRequest(requestOf(999, wide)).body).toEqual({ kind: 'unsupported' });
});

test('INIT of an old kernel is short', () => {
  const body = [7, 0, 0, 0, 23, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0];
  expect(decodeRequest(requestOf(Opcode.INIT, body)).body).toMatchObject({
    minor: 23,
    maxReadahead: 131_072,
    flags: 1,
    flags2: 0,
  });
});

describe('names', () => {
  const lookup = (...name: number[]) => decodeRequest(requestOf(Opcode.LOOKUP, name)).body;

  test('that are not UTF-8 are no name of ours', () => {
    expect(lookup(0xff, 0x41, 0)).toEqual({ kind: 'lookup', name: undefined });
  });

  test('end at the first NUL', () => {
    expect(lookup(0x41, 0, 0x42, 0)).toEqual({ kind: 'lookup', name: 'A' });
  });

  test.each([[[]], [[0]], [[0x41, 0x42]]])('%j is none', (name) => {
    expect(() => lookup(...name)).toThrow(ProtocolError);
  });
});

describe('a request that is damaged', () => {
  const requests = Object.keys(captured).map((name) => bytesOf(name));

  test('is refused when it says another length than it has', () => {
    for (const bytes of requests) {
      for (let length = 0; length < bytes.length; length += 1) {
        expect(() => decodeRequest(bytes.subarray(0, length))).toThrow(ProtocolError);
      }
    }
  });

  test('is refused, or read within its bounds, when cut short and true about it', () => {
    let refused = 0;
    for (const bytes of requests) {
      for (let length = Size.IN_HEADER; length < bytes.length; length += 1) {
        const cut = bytes.slice(0, length);
        new DataView(cut.buffer).setUint32(0, length, true);
        if (!isRead(cut)) refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });

  test('100,000 random ones throw nothing but a ProtocolError', () => {
    const random = randomNumbers(1);
    let read = 0;
    for (let round = 0; round < 100_000; round += 1) {
      const bytes = new Uint8Array(random() % 200);
      for (let index = 0; index < bytes.length; index += 1) bytes[index] = random() & 255;
      if (bytes.length >= 8) {
        const view = new DataView(bytes.buffer);
        view.setUint32(0, bytes.length, true);
        view.setUint32(4, random() % 60, true);
      }
      if (isRead(bytes)) read += 1;
    }
    expect(read).toBeGreaterThan(10_000);
  });

  test('captured ones with random bytes changed throw nothing else', () => {
    const random = randomNumbers(2);
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = (requests[random() % requests.length] ?? new Uint8Array()).slice();
      for (let change = random() % 4; change >= 0; change -= 1) {
        // The length stays, or all were refused for it.
        bytes[4 + (random() % (bytes.length - 4))] = random() & 255;
      }
      isRead(bytes);
    }
  });
});

/** Whether the bytes are a request; anything but a ProtocolError fails the test. */
function isRead(bytes: Uint8Array): boolean {
  try {
    decodeRequest(bytes);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return false;
  }
}

/** xorshift32: the same numbers in each run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
