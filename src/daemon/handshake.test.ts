import { describe, expect, it } from 'vitest';
import { parseHandshake } from './handshake.js';

describe('parseHandshake', () => {
  it('waits for the whole line', () => {
    const line = '{"ready":true,"pid":7,"notes":["LIST is refused."]}\n';
    for (let length = 0; length < line.length; length++) {
      expect(parseHandshake(line.slice(0, length))).toBeUndefined();
    }
    expect(parseHandshake(line)).toEqual({ ready: true, pid: 7, notes: ['LIST is refused.'] });
  });
});
