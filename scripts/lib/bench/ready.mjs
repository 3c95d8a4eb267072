import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LAYOUTFS = join(import.meta.dirname, '../../../bin/layoutfs');
const SIZES = [10, 10_000];

/**
 * Time from the start of `layoutfs mount` to its return, for stores of different size; the cases
 * take turns.
 * @param {{ repeats: number }} options
 * @returns {Promise<import('./report.mjs').Measurement>}
 */
export async function measureReady({ repeats }) {
  const home = await mkdtemp(join(tmpdir(), 'layoutfs-bench-'));
  const mountpoint = join(home, 'mnt');
  try {
    await mkdir(mountpoint);
    const cases = SIZES.map((size) => ({
      name: `mount of ${size.toLocaleString('en')} repositories`,
      store: join(home, `store-${size}`),
      /** @type {number[]} */
      figures: [],
    }));
    for (const [i, size] of SIZES.entries()) await makeStore(cases[i].store, size);
    // The first mount of each warms the page cache and is not counted.
    for (let round = 0; round <= repeats; round++) {
      for (const one of cases) {
        const milliseconds = await timeMount(one.store, mountpoint, home);
        if (round > 0) one.figures.push(milliseconds);
      }
    }
    return {
      name: 'ready',
      unit: 'ms',
      cases: cases.map(({ name, figures }) => ({ name, figures })),
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** @param {string} directory @param {number} repositories */
async function makeStore(directory, repositories) {
  for (let i = 0; i < repositories; i++) {
    const repository = join(directory, `r${i}`);
    await mkdir(repository, { recursive: true });
    await writeFile(join(repository, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(repository, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
  }
}

/** @param {string} store @param {string} mountpoint @param {string} home */
async function timeMount(store, mountpoint, home) {
  const options = { env: { ...process.env, XDG_RUNTIME_DIR: home }, timeout: 60_000 };
  const own = ['--state-dir', join(home, 'state'), '--log', join(home, 'log')];
  const start = performance.now();
  await run(LAYOUTFS, ['mount', store, mountpoint, ...own], options);
  const milliseconds = performance.now() - start;
  await run(LAYOUTFS, ['umount', mountpoint], options);
  return milliseconds;
}
