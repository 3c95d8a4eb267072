import { expect, test } from 'vitest';

import { explainLoadFailure, loadFuseNative } from './fuse-native.js';

test('the package and its native half load', () => {
  const { Fuse, binding } = loadFuseNative();
  expect(typeof Fuse).toBe('function');
  expect(binding.sizeof_fuse_thread_t).toBeGreaterThan(0);
});

test.each([
  [
    Object.assign(new Error("Cannot find module 'fuse-native'"), { code: 'MODULE_NOT_FOUND' }),
    /not installed.*npm install fuse-native/,
  ],
  [
    new Error('No native build was found for platform=linux arch=arm64 runtime=node'),
    /has no build for linux/,
  ],
  [
    new Error('libfuse.so.2: cannot open shared object file: No such file or directory'),
    /apt-get install libfuse2/,
  ],
  [new Error('something else'), /could not be loaded: something else/],
])('%s', (error, expected) => {
  expect(explainLoadFailure(error)).toMatch(expected);
});
