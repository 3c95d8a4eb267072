// Reads every blob of every OCI image layout below a directory, over and over, past the kernel's page
// cache, until standard input ends. Prints a line after each round, and in the end, as JSON, how many
// blobs were read and everything that went wrong. A process of its own: whoever reads a mount must not
// be the one that serves it.
//
//   node read-forever.mjs DIRECTORY

import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

const [root = '.'] = process.argv.slice(2);
const wrong = new Set();
let blobs = 0;
let rounds = 0;
let goesOn = true;
process.stdin.resume().on('end', () => (goesOn = false));

const chunk = Buffer.alloc(1024 * 1024);

/** The hash of a file's bytes, asked of whoever serves it. @param {string} algorithm @param {string} path */
function hashOf(algorithm, path) {
  const file = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  const hash = createHash(algorithm);
  try {
    for (let length = 1; length > 0;) {
      length = readSync(file, chunk);
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

/** @param {string} path @param {() => void} work */
function watch(path, work) {
  try {
    work();
  } catch (error) {
    wrong.add(`${path.slice(root.length)}: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {string} directory */
function readLayout(directory) {
  watch(directory, () => JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')));
  for (const algorithm of readdirSync(join(directory, 'blobs'))) {
    for (const encoded of readdirSync(join(directory, 'blobs', algorithm))) {
      const path = join(directory, 'blobs', algorithm, encoded);
      watch(path, () => {
        const actual = hashOf(algorithm, path);
        if (actual !== encoded) throw new Error(`its bytes hash to ${actual}`);
        blobs += 1;
      });
    }
  }
}

/** @param {string} directory */
function walk(directory) {
  const entries = readdirSync(directory, { withFileTypes: true });
  const isLayout = entries.some((entry) => entry.name === 'index.json');
  if (isLayout) watch(directory, () => readLayout(directory));
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !(isLayout && entry.name === 'blobs')) watch(path, () => walk(path));
  }
}

process.stdout.write('reading\n');
while (goesOn) {
  watch(root, () => walk(root));
  rounds += 1;
  process.stdout.write(`round ${rounds}\n`);
  await turn();
}
process.stdout.write(`${JSON.stringify({ rounds, blobs, wrong: [...wrong] })}\n`);
