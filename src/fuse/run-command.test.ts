import { expect, test } from 'vitest';

import { runCommand } from './run-command.js';

test('the exit code and the output, in English', async () => {
  const script = 'echo $LC_ALL; echo oops >&2; exit 3';
  expect(await runCommand('sh', ['-c', script], 5000)).toEqual({
    kind: 'exited',
    code: 3,
    output: 'C\noops',
  });
});

test('a program that is not there', async () => {
  expect(await runCommand('layoutfs-no-such-program', [], 5000)).toEqual({ kind: 'notFound' });
});

test('arguments are not a shell line', async () => {
  const argument = '$(id) `id`; "x y"';
  expect(await runCommand('printf', ['%s', argument], 5000)).toMatchObject({ output: argument });
});

test('a command that does not end is given up', async () => {
  const start = Date.now();
  expect(await runCommand('sleep', ['60'], 100)).toEqual({ kind: 'timedOut' });
  expect(Date.now() - start).toBeLessThan(5000);
});
