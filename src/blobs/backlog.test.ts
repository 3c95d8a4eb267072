import { expect, test } from 'vitest';
import { Backlog } from './backlog.js';

test('bytes beyond the limit are refused, and whoever was refused is told of room', () => {
  const backlog = new Backlog(10);
  let retries = 0;
  const retry = () => {
    retries++;
  };
  expect(backlog.enter(8, retry)).toBe(true);
  expect(backlog.enter(3, retry)).toBe(false);
  backlog.skip(3);
  expect(backlog.bytes).toBe(11);
  expect(retries).toBe(0);
  backlog.leave(8);
  expect(retries).toBe(1);
  backlog.skip(-3);
  expect(backlog.enter(3, retry)).toBe(true);
  expect(backlog.bytes).toBe(3);
  backlog.leave(3);
  expect(retries).toBe(1);
});

test('a part that is longer than the limit waits alone', () => {
  const backlog = new Backlog(10);
  expect(backlog.enter(16, () => undefined)).toBe(true);
  expect(backlog.enter(1, () => undefined)).toBe(false);
  backlog.leave(16);
  expect(backlog.enter(1, () => undefined)).toBe(true);
});

test('nobody is told who does not wait any more', () => {
  const backlog = new Backlog(1);
  let retries = 0;
  const retry = () => {
    retries++;
  };
  backlog.enter(1, retry);
  backlog.enter(1, retry);
  backlog.forget(retry);
  backlog.leave(1);
  expect(retries).toBe(0);
});
