import { expect } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import { optionKey } from '../../src/config/option-name.js';
import type { Registry } from '../../src/registry/registry.js';
import type { Expectation, Row } from './row.js';

interface LsOutput {
  readonly repositories: readonly { readonly name: string }[];
  readonly incomplete: readonly string[];
  readonly shadowed: readonly string[];
  readonly lost: readonly { readonly digest: string; readonly repositories: readonly string[] }[];
}

/** Run `layoutfs ls --json` over a source and compare what it prints and how it ends. */
export async function checkLs(source: string, row: Row, stateDir: string): Promise<void> {
  const written = { out: '', err: '' };
  const code = await runProgram(
    ['ls', '--json', '--state-dir', stateDir, ...flagsOf(row.options ?? {}), source],
    {
      out: (text) => void (written.out += text),
      err: (text) => void (written.err += text),
      interactive: false,
      colours: false,
      columns: undefined,
      environment: {},
    },
  );
  const { refused } = row.expect;
  if (refused !== undefined) {
    expect(written.err).toMatch(refused);
    expect(code, 'exit code of ls').toBe(2);
    return;
  }
  expect(written.err).toBe('');
  const output = JSON.parse(written.out) as LsOutput;
  const { repositories, lost, incomplete } = wantedList(row.expect);
  expect(output.repositories.map(({ name }) => name)).toEqual(repositories);
  expect(output.incomplete).toEqual(incomplete);
  expect(output.lost).toEqual(lost);
  expect(output.shadowed).toEqual(row.expect.ls?.shadowed ?? []);
  expect(code, 'exit code of ls').toBe(lost.length > 0 ? 1 : 0);
}

/** The same from the registry, with what `ls` does not print. */
export async function checkScan(registry: Registry, row: Row): Promise<void> {
  const scan = await registry.scan();
  const { repositories, lost, incomplete } = wantedList(row.expect);
  expect(scan.incomplete).toEqual(incomplete);
  if (row.options?.['include'] === undefined && row.options?.['exclude'] === undefined) {
    expect(scan.repositories.map(({ name }) => name)).toEqual(repositories);
    expect(
      scan.lost.map(({ digest, directories }) => ({ digest, repositories: directories })),
    ).toEqual(lost);
  }
  const { shadowed = [], ignored } = row.expect.ls ?? {};
  expect(scan.shadowed).toEqual(shadowed);
  if (ignored !== undefined) expect(scan.ignored, 'keys ignored').toBe(ignored);
}

function wantedList({ repositories = {}, ls = {} }: Expectation) {
  return {
    repositories: ls.repositories ?? Object.keys(repositories).sort(),
    incomplete: ls.incomplete ?? [],
    lost: (ls.lost ?? [])
      .map(([{ digest }, ...directories]) => ({ digest, repositories: directories }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1)),
  };
}

/** Options as flags; those that `ls` does not take are left out. */
function flagsOf(options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(options)
    .filter(([name]) => name !== 'refresh')
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).flatMap((one) => [
        `--${optionKey(name)}`,
        String(one),
      ]),
    );
}
