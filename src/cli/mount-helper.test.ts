import { describe, expect, it } from 'vitest';
import { translateMountHelper } from './mount-helper.js';

describe('a call by mount(8)', () => {
  it.each([
    [
      ['s3://b/p?region=x', '/mnt', '-o', 'rw,refresh=10s'],
      ['mount', '-o', 'refresh=10s', '--', 's3://b/p?region=x', '/mnt'],
    ],
    [
      ['src', '/mnt', '-sn', '-v'],
      ['mount', '--sloppy', '--', 'src', '/mnt'],
    ],
    [
      ['src', '/mnt', '-fv', '-t', 'layoutfs.sub'],
      ['mount', '--fake', '--', 'src', '/mnt'],
    ],
    [
      ['-o', 'ro', '--odd', '/mnt'],
      ['mount', '-o', 'ro', '--', '--odd', '/mnt'],
    ],
  ])('%j', (given, expected) => {
    expect(translateMountHelper(given)).toEqual(expected);
  });

  it.each([
    [['src'], /needs a source and a mountpoint/],
    [['src', '/mnt', '-o'], /-o needs a value/],
    [['src', '/mnt', '-N', '/proc/1/ns/mnt'], /mount -N is not supported/],
  ])('%j is refused', (given, message) => {
    expect(() => translateMountHelper(given)).toThrow(message);
  });
});
