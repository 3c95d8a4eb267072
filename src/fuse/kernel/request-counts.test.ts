import { expect, test } from 'vitest';

import { Opcode } from './protocol.js';
import { countRequest, makeRequestCounts, sumRequests } from './request-counts.js';

test('requests of all threads are summed by kind, also those that nobody knows', () => {
  const threads = [makeRequestCounts(), makeRequestCounts()] as const;
  const [one, other] = threads;
  for (let round = 0; round < 3; round += 1) countRequest(one, Opcode.LOOKUP);
  countRequest(other, Opcode.LOOKUP);
  countRequest(other, 22);
  countRequest(other, 63);
  // CUSE, and what a broken kernel may send.
  for (const opcode of [4096, 2 ** 32 - 1, 0]) countRequest(other, opcode);
  expect(sumRequests(threads)).toEqual({ lookup: 4, getxattr: 1, 'opcode 63': 1, unknown: 3 });
  expect(sumRequests([])).toEqual({});
});
