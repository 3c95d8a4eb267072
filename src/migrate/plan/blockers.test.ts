import { expect, it } from 'vitest';
import { doubtfulRoot } from './blockers.js';

const at = (root: string, repositories: string[], isRootGiven = false) =>
  doubtfulRoot({ root, survey: { repositories }, isRootGiven });

it.each<[string, string[], string]>([
  ['', ['zot/zot/a', 'zot/zot/team/b'], 'zot/zot'],
  ['', ['a/b/a/b/one'], 'a/b/a/b'],
  ['zot/', ['zot/a', 'zot/team/b'], 'zot/zot'],
])('below %j the repositories %j leave the root in doubt', (root, repositories, deeper) => {
  const [sentence, ...others] = at(root, repositories);
  expect(sentence).toContain(`say --root ${deeper};`);
  expect(others).toEqual([]);
  expect(at(root, repositories, true)).toEqual([]);
});

it.each<[string, string[]]>([
  ['', []],
  ['', ['a']],
  ['', ['zot/zot']],
  ['', ['team/a', 'team/b']],
  ['', ['zot/zot/a', 'zot/b']],
  ['', ['zot/zot/a', 'other']],
  ['zot/', ['team/a']],
])('below %j the repositories %j are where they should be', (root, repositories) => {
  expect(at(root, repositories)).toEqual([]);
});
