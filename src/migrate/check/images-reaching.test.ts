import { expect, it } from 'vitest';
import type { Descriptor } from '../../oci/descriptor.js';
import type { Digest } from '../../oci/digest.js';
import { imagesReaching } from './images-reaching.js';

const node = (name: string, refName?: string): Descriptor => ({
  digest: name as Digest,
  size: 1,
  mediaType: 'x',
  ...(refName !== undefined && { refName }),
});

const GRAPH: Record<string, string[]> = {
  index: ['m1', 'm2'],
  m1: ['c', 'l1'],
  m2: ['c', 'l2'],
  loop: ['loop', 'l2'],
};
const children = (digest: Digest) => GRAPH[digest]?.map((name) => node(name));

it('names entries by tag, or by digest, each once and in order', () => {
  const roots = [node('index', 'v1'), node('m2'), node('index', 'v1'), node('loop', 'odd')];
  const images = imagesReaching(new Set(['c', 'l1', 'l2', 'm2'] as Digest[]), roots, children);
  expect(Object.fromEntries(images)).toEqual({
    c: ['v1', '@m2'],
    l1: ['v1'],
    l2: ['v1', '@m2', 'odd'],
    m2: ['v1', '@m2'],
  });
});

it('goes no further than what is known', () => {
  const images = imagesReaching(new Set(['x'] as Digest[]), [node('unknown', 'v')], children);
  expect(images.get('x' as Digest)).toEqual([]);
});
