import { describe, expect, it } from 'vitest';
import { translateFuseHelper, translateMountHelper } from './mount-helper.js';

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

describe('a call by mount.fuse3(8)', () => {
  it.each([
    [
      ['s3://b/p?x=1', '/dev/fd/3', '-o', 'ro,refresh=10s,dev,suid'],
      ['mount', '-o', 'ro,refresh=10s,dev,suid', '--', 's3://b/p?x=1', '/dev/fd/3'],
    ],
    [
      ['/srv/registry', '/mnt', '-o', 'rw,dev'],
      ['mount', '-o', 'dev', '--', '/srv/registry', '/mnt'],
    ],
    [
      ['none', '/mnt', '-o', 'zot_config=/c'],
      ['mount', '-o', 'zot_config=/c', '--', 'none', '/mnt'],
    ],
  ])('%j', (given, expected) => {
    expect(translateFuseHelper(given)).toEqual(expected);
  });

  it.each([
    [['mount', 's3://b', '/mnt']],
    [['ls', '/srv', '-o', 'x']],
    [['s3://b', '/mnt']],
    [['s3://b', '/mnt', '-o', 'x', 'y']],
    [['-o', '/x', '-o', 'y']],
    [[]],
  ])('%j is none', (given) => {
    expect(translateFuseHelper(given)).toBeUndefined();
  });
});
