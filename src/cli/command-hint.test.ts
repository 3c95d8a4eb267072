import { expect, it } from 'vitest';
import { lsCommandLine, registryFlags } from './command-hint.js';

it.each([
  ['file:///srv/registry', undefined, 'layoutfs ls file:///srv/registry'],
  [
    's3://b?endpoint=http://h&region=x',
    undefined,
    "layoutfs ls 's3://b?endpoint=http://h&region=x'",
  ],
  ["/it's", 'REPOSITORY', "layoutfs ls '/it'\\''s' REPOSITORY"],
  ['zot-config:/etc/zot/a b.json', undefined, "layoutfs ls --zot-config '/etc/zot/a b.json'"],
])('%s %s', (source, repository, expected) => {
  expect(lsCommandLine(source, repository)).toBe(expected);
});

it('says again which registry of a source was meant', () => {
  expect(registryFlags({ registry: 'zot', root: "it's/zot", sharedBlobDir: undefined })).toEqual([
    '--registry',
    'zot',
    '--root',
    "'it'\\''s/zot'",
  ]);
});
