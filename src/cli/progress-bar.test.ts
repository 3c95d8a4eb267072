import { expect, it } from 'vitest';
import { ByteProgress, formatSeconds } from './progress-bar.js';

const MIB = 1024 ** 2;

it('shows how far it is, how fast it goes and how long it will take', () => {
  const progress = new ByteProgress(100 * MIB, 0);
  progress.add(10 * MIB, 1000);
  progress.add(10 * MIB, 2000);
  expect(progress.line(80, 2000)).toBe(
    '[=====>                        ]  20 %  20 MiB of 100 MiB  10 MiB/s  8 s left',
  );
});

it('forgets how fast it was long ago', () => {
  const progress = new ByteProgress(100 * MIB, 0);
  progress.add(50 * MIB, 100);
  for (let at = 1000; at <= 12_000; at += 1000) progress.add(MIB, at);
  expect(progress.rate(12_000)).toBeCloseTo(MIB, -4);
});

it('knows no rate before it began, and no time when nothing comes', () => {
  const progress = new ByteProgress(MIB, 0);
  expect(progress.line(80, 10)).toBe('[                              ]   0 %  0 B of 1 MiB');
  expect(progress.line(80, 60_000)).not.toContain('left');
});

it('fits the screen', () => {
  const progress = new ByteProgress(100 * MIB, 0);
  progress.add(33 * MIB, 3000);
  for (let columns = 10; columns < 120; columns++) {
    expect(progress.line(columns, 3000).length).toBeLessThan(columns);
  }
});

it.each([
  [0, '0 s'],
  [59.2, '1 min 0 s'],
  [3725, '1 h 2 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
