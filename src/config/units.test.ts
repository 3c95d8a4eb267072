import { describe, expect, it } from 'vitest';
import { formatByteSize, parseByteSize } from './byte-size.js';
import { formatDuration, parseDuration } from './duration.js';

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['5s', 5000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0', 0],
    ['0s', 0],
    ['5', undefined],
    ['', undefined],
    ['s', undefined],
    ['-1s', undefined],
    ['5 s', undefined],
    ['1e3s', undefined],
    ['5d', undefined],
  ])('reads %j as %j ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each([
    [5000, '5s'],
    [500, '500ms'],
    [1500, '1500ms'],
    [120_000, '2m'],
    [0, '0ms'],
  ])('writes %j ms as %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe('sizes', () => {
  it.each([
    ['64MiB', 67_108_864],
    ['1GB', 1_000_000_000],
    ['1048576', 1_048_576],
    ['1.5KiB', 1536],
    ['10 B', 10],
    ['0', 0],
    ['MiB', undefined],
    ['-1', undefined],
    ['1mib', undefined],
    ['1e9', undefined],
  ])('reads %j as %j bytes', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  it.each([
    [0, '0 B'],
    [617, '617 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1024 ** 2 - 1, '1 MiB'],
    [67_108_864, '64 MiB'],
    [5.25 * 1024 ** 3, '5.3 GiB'],
  ])('writes %j bytes as %s', (bytes, text) => {
    expect(formatByteSize(bytes)).toBe(text);
  });
});
