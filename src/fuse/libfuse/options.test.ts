import { expect, test } from 'vitest';

import { optionString } from './options.js';

const options = { source: 's3://bucket/prefix', allowOther: false, umask: 0, refreshMs: 5000 };

test('the options of a mount', () => {
  expect(optionString(options).slice(2).split(',')).toEqual([
    'ro',
    'nosuid',
    'nodev',
    'max_read=131072',
    'use_ino',
    'attr_timeout=0',
    'entry_timeout=5.000',
    'negative_timeout=0',
    'auto_cache',
    'ac_attr_timeout=-1',
    'subtype=layoutfs',
    'fsname=s3://bucket/prefix',
  ]);
});

test('other users are let in only with the kernel checking modes', () => {
  const list = optionString({ ...options, allowOther: true }).split(',');
  expect(list).toContain('allow_other');
  expect(list).toContain('default_permissions');
  expect(optionString({ ...options, umask: 0o400 })).toMatch(/,default_permissions,/);
});

test('a source cannot add options', () => {
  const source = 'a,dev\\,suid\nb';
  expect(optionString({ ...options, source })).toMatch(/,fsname=a\\,dev\\\\\\,suid\?b$/);
});

test('a long source is cut, between characters and not within an escape', () => {
  for (const source of ['x'.repeat(3000), ','.repeat(3000), 'é'.repeat(3000)]) {
    const string = optionString({ ...options, allowOther: true, source });
    expect(Buffer.byteLength(string)).toBeLessThanOrEqual(1023);
    expect(Buffer.byteLength(string)).toBeGreaterThan(1020);
    expect(string).not.toMatch(/[^\\]\\$|\ufffd/);
  }
});
