import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CopyBuffers } from './copy-buffers.js';

const MiB = 1024 ** 2;

describe('CopyBuffers', () => {
  it('gives out memory again that was given back, in any length', () => {
    const buffers = new CopyBuffers();
    const first = buffers.take(10);
    buffers.giveBack(first);
    const second = buffers.take(MiB);
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteLength).toBe(MiB);
  });

  it('never gives out the same memory to two at once', () => {
    const buffers = new CopyBuffers();
    for (let round = 0; round < 3; round++) {
      const taken = Array.from({ length: 9 }, () => buffers.take(MiB));
      expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(9);
      for (const one of taken) buffers.giveBack(one);
    }
  });

  it('leaves an answer alone until the next turn of the event loop', async () => {
    const buffers = new CopyBuffers();
    const answer = buffers.take(5);
    buffers.giveBackAnswered(answer);
    await Promise.resolve();
    expect(buffers.take(5).buffer).not.toBe(answer.buffer);
    await nextTurn();
    expect(buffers.take(5).buffer).toBe(answer.buffer);
  });

  it('takes back nothing that is larger than what it keeps', () => {
    const buffers = new CopyBuffers();
    const large = buffers.take(3 * MiB);
    buffers.giveBack(large);
    expect(buffers.take(10).buffer.byteLength).toBe(MiB);
  });
});
