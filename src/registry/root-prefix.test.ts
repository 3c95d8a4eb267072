import { expect, test } from 'vitest';
import { directoryPrefix, showPrefix, toPrefix } from './root-prefix.js';

test.each([
  ['', ''],
  ['/', ''],
  ['//', '/'],
  ['zot', 'zot/'],
  ['zot/', 'zot/'],
  ['zot/zot//', 'zot/zot/'],
  ['/zot', '/zot/'],
])('the root %j has the key prefix %j', (root, prefix) => {
  expect(toPrefix(root)).toBe(prefix);
});

test('directories lie below the root', () => {
  expect(directoryPrefix('zot/', 'a/b')).toBe('zot/a/b/');
  expect(directoryPrefix('', 'a')).toBe('a/');
  expect(directoryPrefix('zot/', '')).toBe('zot/');
});

test.each(['', 'zot/', '/', '/zot/'])(
  'the prefix %j is shown as a root that gives it back',
  (prefix) => {
    expect(showPrefix(prefix)).not.toBe('');
    expect(toPrefix(showPrefix(prefix))).toBe(prefix);
  },
);
