import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { whileItGetsOn, withinDeadline } from './deadline.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What becomes of a promise, to be looked at without waiting for it. */
function outcome(promise: Promise<unknown>): { of: string } {
  const result = { of: 'pending' };
  promise.then(
    () => (result.of = 'done'),
    () => (result.of = 'late'),
  );
  return result;
}

const never = new Promise<never>(() => undefined);

describe('withinDeadline', () => {
  it('waits for its time, and leaves no timer', async () => {
    const late = outcome(withinDeadline(never, 1000, 'This'));
    await vi.advanceTimersByTimeAsync(999);
    expect(late.of).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(late.of).toBe('late');
    await withinDeadline(Promise.resolve(), 1000, 'This');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('whileItGetsOn', () => {
  it('waits as long as the position moves, and no longer', async () => {
    let position = 0;
    const work = outcome(whileItGetsOn(never, 1000, 'This', () => position));
    for (let i = 0; i < 10; i++) {
      position++;
      await vi.advanceTimersByTimeAsync(1000);
      expect(work.of).toBe('pending');
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect(work.of).toBe('late');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('passes on what the work fails with', async () => {
    const failed = Promise.reject(new Error('broken'));
    await expect(whileItGetsOn(failed, 1000, 'This', () => 0)).rejects.toThrow('broken');
  });
});
