import { afterEach, expect, it } from 'vitest';
import { type LocalBucket, localBucket } from '../../test/support/local-bucket.js';
import { testTerminal } from '../../test/support/test-terminal.js';
import type { FindingSection } from './finding.js';
import { runProgram } from './program.js';

let bucket: LocalBucket;
afterEach(() => bucket.remove());

/** What the doctor says about a directory with these files. */
async function examine(
  objects: Readonly<Record<string, string>>,
  ...options: string[]
): Promise<{ lines: string[]; hint: string | undefined }> {
  bucket = await localBucket(objects);
  const terminal = testTerminal();
  await runProgram(['doctor', '--json', bucket.directory, ...options], terminal);
  const report = JSON.parse(terminal.written.out) as { sections: FindingSection[] };
  const { findings = [], hint } = report.sections[1] ?? {};
  const lines = findings.map(({ check, state, message }) => `${state} ${check}: ${message}`);
  return { lines, hint };
}

const LAYOUT = { 'a/oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'a/index.json': '{}' };

it('says what a registry is, and how to look for lost blobs', async () => {
  const { lines, hint } = await examine(LAYOUT);
  expect(lines[1]).toBe(`ok layout: It is a zot registry at / of file://${bucket.directory}.`);
  expect(hint).toBe(`To check for lost blobs: layoutfs check ${bucket.directory}`);
});

it('does not look for placeholders in plain layouts', async () => {
  const { lines, hint } = await examine(LAYOUT, '--registry', 'plain');
  expect(lines[1]).toContain('ok layout: It is plain OCI image layouts');
  expect(hint).toBeUndefined();
});

it('claims nothing about a place where nothing is stored', async () => {
  const { lines, hint } = await examine({});
  expect(lines.join('\n')).not.toMatch(/It is|archive/);
  expect(lines).toContain(
    `warn layout: Nothing is stored below / of file://${bucket.directory}: check the directory.`,
  );
  expect(hint).toBeUndefined();
});

it('tells the deeper root of a registry that was copied', async () => {
  const { lines } = await examine({
    'eu/zot/zot/a/oci-layout': LAYOUT['a/oci-layout'],
    'eu/zot/zot/a/index.json': LAYOUT['a/index.json'],
  });
  expect(lines).toContainEqual(
    expect.stringMatching(/^warn layout: All repositories lie below eu\/zot\/zot: /),
  );
});
