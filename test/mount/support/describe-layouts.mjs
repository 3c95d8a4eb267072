// Describes every OCI image layout below a directory as JSON, by plain synchronous reads. Runs as a
// process of its own: whoever reads a mount must not be the one that serves it.
//
//   node describe-layouts.mjs DIRECTORY DIGEST...   the digests are opened in every repository

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const [root = '.', ...wanted] = process.argv.slice(2);

/** @param {string} algorithm @param {string} path */
function hashOrErrno(algorithm, path) {
  try {
    return createHash(algorithm).update(readFileSync(path)).digest('hex');
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code ?? String(error);
  }
}

/** @param {string} directory */
function describe(directory) {
  /** @type {Record<string, number>} */
  const listed = {};
  /** @type {Record<string, string>} */
  const read = {};
  for (const algorithm of readdirSync(join(directory, 'blobs'))) {
    for (const encoded of readdirSync(join(directory, 'blobs', algorithm))) {
      const path = join(directory, 'blobs', algorithm, encoded);
      listed[`${algorithm}:${encoded}`] = statSync(path).size;
      read[`${algorithm}:${encoded}`] = hashOrErrno(algorithm, path);
    }
  }
  for (const digest of wanted) {
    const [algorithm = '', encoded = ''] = digest.split(':');
    read[digest] ??= hashOrErrno(algorithm, join(directory, 'blobs', algorithm, encoded));
  }
  return { index: hashOrErrno('sha256', join(directory, 'index.json')), listed, read };
}

/** @type {Record<string, ReturnType<typeof describe>>} */
const repositories = {};

/** @param {string} path */
function walk(path) {
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  const isRepository = entries.some((entry) => entry.name === 'index.json' && entry.isFile());
  if (isRepository) repositories[path] = describe(join(root, path));
  for (const entry of entries) {
    if (!entry.isDirectory() || (isRepository && entry.name === 'blobs')) continue;
    walk(path === '' ? entry.name : `${path}/${entry.name}`);
  }
}

walk('');
console.log(JSON.stringify(repositories));
