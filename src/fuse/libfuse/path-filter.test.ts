import { expect, test } from 'vitest';

import { PathFilter } from './path-filter.js';

const path = (index: number) => `/team/app/blobs/sha256/${index.toString(16).padStart(64, '0')}`;

test('a path that was added is never forgotten, a new one seldom taken for it', () => {
  const filter = new PathFilter();
  let mistaken = 0;
  for (let index = 0; index < 100_000; index += 1) if (filter.add(path(index))) mistaken += 1;
  expect(mistaken).toBeLessThan(2000);
  for (let index = 0; index < 100_000; index += 1) expect(filter.add(path(index))).toBe(true);
});
