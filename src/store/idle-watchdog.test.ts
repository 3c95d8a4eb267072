import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdleWatchdog } from './idle-watchdog.js';

describe('IdleWatchdog', () => {
  let stalls = 0;
  let watchdog: IdleWatchdog;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    stalls = 0;
    watchdog = new IdleWatchdog(1000, () => stalls++);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('notices a wait of its time, once', () => {
    watchdog.wait();
    vi.advanceTimersByTime(999);
    expect(stalls).toBe(0);
    vi.advanceTimersByTime(1);
    expect(stalls).toBe(1);
    vi.advanceTimersByTime(5000);
    expect(stalls).toBe(1);
  });

  it('begins anew whenever bytes come, with one timer', () => {
    const timers = vi.spyOn(globalThis, 'setTimeout');
    for (let i = 0; i < 100; i++) {
      watchdog.wait();
      vi.advanceTimersByTime(90);
    }
    expect(timers.mock.calls.length).toBeLessThan(15);
    vi.advanceTimersByTime(909);
    expect(stalls).toBe(0);
    vi.advanceTimersByTime(1);
    expect(stalls).toBe(1);
  });

  it('does not count time in which nobody waits', () => {
    watchdog.wait();
    vi.advanceTimersByTime(600);
    watchdog.rest();
    vi.advanceTimersByTime(10_000);
    expect([stalls, vi.getTimerCount()]).toEqual([0, 0]);
    watchdog.wait();
    vi.advanceTimersByTime(999);
    expect(stalls).toBe(0);
    vi.advanceTimersByTime(1);
    expect(stalls).toBe(1);
  });

  it('leaves no timer when it is stopped', () => {
    watchdog.wait();
    watchdog.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
