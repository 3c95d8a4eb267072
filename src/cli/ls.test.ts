import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type UnpackedState, unpackZotState } from '../../test/fixtures/unpack.js';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.js';
import { testTerminal } from '../../test/support/test-terminal.js';
import { runProgram } from './program.js';

let bucket: UnpackedState;
let stateDir: string;
beforeAll(async () => {
  // Its "a" and "z" have lost the same three blobs, and other repositories others.
  bucket = await unpackZotState('S9');
  stateDir = await makeTemporaryDirectory('ls');
});
afterAll(async () => {
  await bucket.remove();
  await rm(stateDir, { recursive: true, force: true });
});

async function ls(...words: string[]) {
  const terminal = testTerminal();
  const code = await runProgram(['ls', '--state-dir', stateDir, ...words], terminal);
  return { code, ...terminal.written };
}

it('a source names what is lost, where, and how to find the images', async () => {
  const { code, out } = await ls(bucket.directory);
  expect(code).toBe(1);
  const [lost = ''] = bucket.expected['a']?.lost ?? [];
  expect(out).toMatch(new RegExp(`\n {2}${lost}\n {4}in a, z\n`));
  expect(out).toContain(`"layoutfs ls file://${bucket.directory} REPOSITORY" names those:\n`);
});

it('a repository marks the images that have lost blobs, and names them below', async () => {
  const lost = bucket.expected['a']?.lost ?? [];
  const { code, out } = await ls(bucket.directory, 'a');
  expect(code).toBe(1);
  expect(out).toMatch(/^TAG .* PROBLEM\nv1 .* {2}3 blobs lost\n/);
  for (const digest of lost) expect(out).toContain(`  ${digest}\n    in a:v1\n`);
  const { out: json } = await ls('--json', bucket.directory, 'a');
  expect(JSON.parse(json)).toMatchObject({ images: [{ tag: 'v1', lost: [...lost].sort() }] });
});

it('an image without a tag is named by its digest', async () => {
  const { out } = await ls(bucket.directory, 'tagdel');
  expect(out).toMatch(/\n {4}in tagdel@sha256:[0-9a-f]{64}(, tagdel@.*)?\n/);
});

it('a repository that is whole has no marks', async () => {
  const whole = Object.entries(bucket.expected).find(
    ([, { lost, absent, tags }]) => lost.length === 0 && !absent && Object.keys(tags).length > 0,
  );
  const { code, out } = await ls(bucket.directory, whole?.[0] ?? '');
  expect(code).toBe(0);
  expect(out).not.toMatch(/PROBLEM|lost/i);
});
