// Put what bin/layoutfs runs into few files, dist/program: Node takes longer to find and load our
// modules and the SDK's, some hundreds, than to run them. Made from what tsc has built, and made
// CommonJS: Node loads ES modules, also its own, in more steps, in each thread anew.
//   node scripts/lib/bundle.mjs
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const ROOT = join(import.meta.dirname, '../..');
const BUILT = join(ROOT, 'dist');
const PROGRAM = join(BUILT, 'program');

/** What is started by its file's name: the program, and its threads. */
const STARTED = [
  'cli/main.js',
  'fuse/kernel/serving-thread.js',
  'fuse/kernel/notifier-thread.js',
  'blobs/hash-thread.js',
  'blobs/disk/file-hash-thread.js',
];

/** Optional dependencies, which are installed where they work, each with a native part. */
const NOT_BUNDLED = ['koffi', 'fuse-native'];

/** How a file is looked for beside the one that looks; `import.meta.url` of ES modules. */
const NEIGHBOUR = /new URL\("([^"]+)", require\("url"\)\.pathToFileURL\(__filename\)\.href\)/g;

async function bundle() {
  const build = await rolldown({
    input: STARTED.map((path) => join(BUILT, path)),
    platform: 'node',
    external: NOT_BUNDLED,
    // Of the ES modules that most packages have beside CommonJS, what is not used is left out.
    resolve: { mainFields: ['module', 'main'] },
    onLog(level, log, handle) {
      if (level === 'warn') throw new Error(log.message);
      handle(level, log);
    },
  });
  const { output } = await build.write({
    dir: PROGRAM,
    // All side by side, as the threads are looked for. Names stay: people read stack traces.
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    minify: false,
    minifyInternalExports: false,
    format: 'cjs',
    // As ES modules are.
    strict: true,
  });
  await build.close();
  return output;
}

/** @throws Error when something is looked for relative to a module that is elsewhere now */
function checkNeighbours(output) {
  const found = output.flatMap(({ code, fileName }) =>
    [...code.matchAll(NEIGHBOUR)].map(([, path]) => ({ fileName, path })),
  );
  if (found.length === 0)
    throw new Error('Nothing is looked for as it was: this check is too old.');
  for (const { fileName, path } of found) {
    if (existsSync(join(PROGRAM, path))) continue;
    throw new Error(`${fileName} looks for ${path}, which is not there.`);
  }
}

/** The licences of the packages that are in it, one after the other. */
async function licences(output) {
  const packages = new Set(
    output
      .flatMap(({ moduleIds }) => moduleIds)
      .map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0])
      .filter((directory) => directory !== undefined),
  );
  const texts = await Promise.all([...packages].sort().map(licence));
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function licence(directory) {
  const { name, version, license } = JSON.parse(
    await readFile(join(directory, 'package.json'), 'utf8'),
  );
  const file = (await readdir(directory)).find((entry) => /^licen[cs]e/i.test(entry));
  // Some packages of the SDK come without: their licence is that of their neighbours.
  const text = file === undefined ? '' : `\n${await readFile(join(directory, file), 'utf8')}`;
  return `${name} ${version} (${license})\n${text}`;
}

const output = await bundle();
checkNeighbours(output);
await writeFile(join(PROGRAM, 'package.json'), '{ "type": "commonjs" }\n');
await writeFile(join(PROGRAM, 'LICENSES'), await licences(output));
