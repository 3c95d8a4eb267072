import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeptListings } from './kept-listings.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a copy is true for as long as the listing was when it was told', () => {
  const kept = new KeptListings();
  expect(kept.freshFor(7)).toBeUndefined();
  kept.told(7, 1000);
  vi.advanceTimersByTime(400);
  expect(kept.freshFor(7)).toBe(600);
  // Told again, but what the kernel has may be from the first time.
  kept.told(7, 1000);
  expect(kept.freshFor(7)).toBe(600);
  expect(kept.changes(7)).toBe(0);
});

test('one whose time is over is given up by another modification time, once', () => {
  const kept = new KeptListings();
  kept.told(7, 1000);
  vi.advanceTimersByTime(1000);
  expect(kept.freshFor(7)).toBeUndefined();
  expect(kept.freshFor(7)).toBeUndefined();
  expect(kept.changes(7)).toBe(1);
  kept.told(7, 1000);
  expect(kept.freshFor(7)).toBe(1000);
  expect(kept.changes(7)).toBe(1);
});

test('a change gives up what there is, and nothing else', () => {
  const kept = new KeptListings();
  kept.told(7, 1000);
  expect([...kept.directories()]).toEqual([7]);
  expect(kept.drop(7)).toBe(true);
  expect(kept.drop(7)).toBe(false);
  expect(kept.drop(8)).toBe(false);
  expect([...kept.directories()]).toEqual([]);
  expect(kept.changes(7)).toBe(1);
  kept.forget(7);
  expect(kept.changes(7)).toBe(0);
});
