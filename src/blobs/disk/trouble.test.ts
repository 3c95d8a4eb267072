import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Counters } from '../../observe/counters.js';
import { Trouble } from './trouble.js';

const MINUTE = 60_000;
const PAUSE = 1000;

const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
const readOnly = Object.assign(new Error('read-only'), { code: 'EROFS' });

let told: string[];
let trouble: Trouble;
beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  const tell = (_: object, message: string) => void told.push(message);
  trouble = new Trouble({
    directory: '/cache',
    pauseMs: PAUSE,
    log: { debug: tell, info: tell, warn: tell, error: tell },
    counters: new Counters(),
  });
});
afterEach(() => vi.useRealTimers());

describe('what a failing disk leads to', () => {
  it('nothing is written for a while, and the reason is known until something is', () => {
    trouble.writeFailed(full);
    expect(trouble).toMatchObject({ mayWrite: false, reason: 'its disk is full' });
    vi.advanceTimersByTime(PAUSE);
    expect(trouble).toMatchObject({ mayWrite: true, reason: 'its disk is full' });
    trouble.worked();
    expect(trouble).toMatchObject({ mayWrite: true, reason: undefined });
  });

  it('each kind of failure is told once, and that it is over', () => {
    for (const error of [full, full, readOnly, full]) trouble.writeFailed(error);
    trouble.worked();
    trouble.worked();
    expect(told).toEqual([
      expect.stringContaining('its disk is full'),
      expect.stringContaining('its disk is read-only'),
      'The cache /cache is written to again.',
    ]);
  });

  it('a disk on which small blobs fit and large ones do not does not fill the log', () => {
    for (let minute = 0; minute < 30; minute++) {
      trouble.writeFailed(full);
      trouble.worked();
      vi.advanceTimersByTime(MINUTE);
    }
    expect(told.filter((message) => message.includes('takes nothing more'))).toHaveLength(3);
    expect(told.filter((message) => message.includes('written to again'))).toHaveLength(3);
  });
});
