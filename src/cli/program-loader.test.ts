import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

/** What bin/layoutfs loads its program with. */
const LOADER = join(import.meta.dirname, '../../bin/program.js');
const { Program } = createRequire(import.meta.url)(LOADER) as {
  Program: new (directory: string) => { load(id: string): unknown };
};

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'layoutfs-program-'));
  await write('main', "exports.answer = () => require('./other.js').answer() + 1;");
  await write('other', 'exports.answer = () => 41;');
});

afterEach(() => rm(directory, { recursive: true }));

const write = (name: string, source: string) =>
  writeFile(join(directory, `${name}.js`), `'use strict';\n${source}`);

const RUN = `
  const { Program } = require(process.argv[1]);
  const program = new Program(process.argv[2]);
  process.stdout.write(String(program.load('./main.js').answer()));
  program.keepCode();
`;

/** What the program answers in a process of its own: V8 keeps code for itself, too. */
async function run(): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', RUN, LOADER, directory]);
  return Number(stdout);
}

async function codeFiles(): Promise<string[]> {
  const names = await readdir(join(directory, 'code'), { recursive: true });
  return names
    .filter((name) => name.endsWith('.code'))
    .map((name) => join(directory, 'code', name));
}

it('keeps the code of each file, and runs with it', async () => {
  expect(await run()).toBe(42);
  expect(await codeFiles()).toHaveLength(2);
  expect(await run()).toBe(42);
});

it('takes no code of another source, be it as long', async () => {
  await run();
  await write('other', 'exports.answer = () => 12;');
  expect(await run()).toBe(13);
});

it('takes no code that was damaged', async () => {
  await run();
  for (const file of await codeFiles()) {
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0xff, bytes.byteLength / 2));
  }
  expect(await run()).toBe(42);
  for (const file of await codeFiles()) await writeFile(file, '');
  expect(await run()).toBe(42);
});

it('a file that fails when it is loaded fails again', async () => {
  await write('other', "throw new Error('broken');");
  const program = new Program(directory);
  const main = program.load('./main.js') as { answer(): number };
  expect(() => main.answer()).toThrow('broken');
  expect(() => main.answer()).toThrow('broken');
});
