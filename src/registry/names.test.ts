import { describe, expect, test } from 'vitest';
import {
  isFileName,
  isHiddenName,
  isPath,
  isPlainComponent,
  isRegistryComponent,
} from './names.js';

describe('a component of a registry name', () => {
  test.each(['a', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', '0', 'index.json', 'oci-layout', 'blobs'])(
    'may be %s',
    (name) => expect(isRegistryComponent(name)).toBe(true),
  );

  test.each([
    '',
    'A',
    'a..b',
    'a___b',
    '-a',
    'a-',
    '_a',
    '.a',
    'a.',
    'a/b',
    'a b',
    'ä',
    'a\n',
    'a\0',
  ])('may not be %j', (name) => expect(isRegistryComponent(name)).toBe(false));

  test('is judged fast, whatever it is', () => {
    const started = performance.now();
    expect(isRegistryComponent(`${'a'.repeat(254)}!`)).toBe(false);
    expect(isRegistryComponent(`${'a-'.repeat(127)}!`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(100);
  });

  test('is no longer than a file name', () => {
    expect(isRegistryComponent('a'.repeat(255))).toBe(true);
    expect(isRegistryComponent('a'.repeat(256))).toBe(false);
  });
});

describe('a component of a plain path', () => {
  test.each(['A', 'Größe', 'a b', 'x..y', '-a', 'a'.repeat(255), 'é'.repeat(127)])(
    'may be %s',
    (name) => expect(isPlainComponent(name)).toBe(true),
  );

  test.each([
    '',
    '.',
    '..',
    '.git',
    '_x',
    'a/b',
    'a\0b',
    'a'.repeat(256),
    'é'.repeat(128),
    'a\uFFFD',
  ])('may not be %j', (name) => expect(isPlainComponent(name)).toBe(false));
});

test('hidden names are file names all the same', () => {
  expect(['.x', '_x'].every((name) => isHiddenName(name) && isFileName(name))).toBe(true);
  expect(isHiddenName('x')).toBe(false);
});

test('a path has only such components', () => {
  expect(isPath('', isRegistryComponent)).toBe(true);
  expect(isPath('a/b', isRegistryComponent)).toBe(true);
  for (const path of ['/', '/a', 'a/', 'a//b', 'a/../b']) {
    expect(isPath(path, isRegistryComponent)).toBe(false);
  }
});
