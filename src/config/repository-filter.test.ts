import { describe, expect, it } from 'vitest';
import { RepositoryFilter } from './repository-filter.js';

describe('accepts', () => {
  it.each([
    [{}, ['a', 'a/b', ''], []],
    [{ include: ['team/**'] }, ['team', 'team/a', 'team/a/b'], ['a', 'teams/a', '']],
    [{ include: ['team/*'] }, ['team/a'], ['team', 'team/a/b']],
    [{ include: ['a', 'b/{c,d}'] }, ['a', 'b/c', 'b/d'], ['b', 'b/e']],
    [{ exclude: ['team/scratch/**'] }, ['a', 'team/x'], ['team/scratch', 'team/scratch/y']],
    [{ include: ['team/**'], exclude: ['**/tmp'] }, ['team/a'], ['team/tmp', 'team/a/tmp', 'tmp']],
    [{ include: ['{a/b,c}/d'] }, ['a/b/d', 'c/d'], ['a/d']],
  ])('%j', (globs, shown, hidden) => {
    const filter = new RepositoryFilter(globs);
    for (const name of shown) expect([name, filter.accepts(name)]).toEqual([name, true]);
    for (const name of hidden) expect([name, filter.accepts(name)]).toEqual([name, false]);
  });
});

describe('mayContain', () => {
  it.each([
    [{}, ['', 'a', 'a/b'], []],
    [{ include: ['team/a'] }, ['', 'team'], ['team/a', 'a', 'team/b']],
    [{ include: ['team/**'] }, ['', 'team', 'team/x', 'team/x/y'], ['other']],
    [{ include: ['*/app'] }, ['', 'x'], ['x/app', 'x/y']],
    [{ include: ['**/app'] }, ['', 'x', 'x/y'], []],
    [{ include: ['{a/b,c}/d'] }, ['', 'a', 'a/b', 'x'], []],
    [{ exclude: ['team/**'] }, ['', 'a'], ['team', 'team/x']],
    [{ exclude: ['team/*'] }, ['', 'team', 'team/x'], []],
    [{ exclude: ['**'] }, [], ['', 'a']],
    [{ include: ['a/**'], exclude: ['a/b/**'] }, ['a', 'a/c'], ['a/b', 'b']],
  ])('%j', (globs, open, closed) => {
    const filter = new RepositoryFilter(globs);
    for (const name of open) expect([name, filter.mayContain(name)]).toEqual([name, true]);
    for (const name of closed) expect([name, filter.mayContain(name)]).toEqual([name, false]);
  });

  it('is true for every parent of an accepted repository', () => {
    const globs = ['a/b/c', 'a/**', '**/c', '*/*/c', '{a,b}/**/c', 'a/b*/c', 'a/+(b|c)/c'];
    for (const include of globs) {
      const filter = new RepositoryFilter({ include: [include] });
      expect([include, filter.accepts('a/b/c')]).toEqual([include, true]);
      for (const parent of ['', 'a', 'a/b']) {
        expect([include, parent, filter.mayContain(parent)]).toEqual([include, parent, true]);
      }
    }
  });
});

it.each(['', '/a', 'a/'])('refuses the glob %j', (glob) => {
  expect(() => new RepositoryFilter({ include: [glob] })).toThrow(/cannot match/);
});
